import Index
import OCI

/// Whether a digest may be shown under a name, known from a moment ago.
struct LinkBenchmark: Benchmark {
    static let name = "link"
    static let operation = "whether a name has a digest, in memory, 1,000 in turns"

    private let index: ContentIndex
    private let name: RepositoryName
    private let digests: [Digest]
    private var turn = 0

    init(_ scratch: Scratch) async throws {
        index = try await FilledIndex.open(scratch)
        name = try Samples.name()
        digests = try (0..<FilledIndex.images(scratch)).map(Samples.digest)
        for _ in digests { _ = try run() }
    }

    mutating func run() throws -> Int {
        turn = (turn + 1) % digests.count
        let isLinked = try index.isLinked(
            repository: FilledIndex.repository, name: name, digests[turn])
        guard isLinked else { throw Unexpected("no link") }
        return turn
    }
}
