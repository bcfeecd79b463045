import Index
import OCI

/// Whether a blob is stored, and how large it is.
struct BlobBenchmark: Benchmark {
    static let name = "blob"
    static let operation = "the row of a blob, by SQLite, all of the index in disorder"

    private let index: ContentIndex
    private let digests: [Digest]
    private var turn = 0

    init(_ scratch: Scratch) async throws {
        index = try await FilledIndex.open(scratch)
        // Their order in the index is that of their hashes, so that this one is none.
        digests = try (0..<scratch.rows).map(Samples.digest)
    }

    mutating func run() throws -> Int {
        turn = (turn + 1) % digests.count
        guard let row = try index.blob(digests[turn]) else { throw Unexpected("no blob") }
        return Int(row.size)
    }
}
