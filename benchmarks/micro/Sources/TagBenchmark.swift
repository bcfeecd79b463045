import Index
import OCI

/// Which manifest a tag means.
struct TagBenchmark: Benchmark {
    static let name = "tag"
    static let operation = "the digest of a tag, by SQLite, 1,000 in turns"

    private let index: ContentIndex
    private let name: RepositoryName
    private let tags: [Tag]
    private var turn = 0

    init(_ scratch: Scratch) async throws {
        index = try await FilledIndex.open(scratch)
        name = try Samples.name()
        tags = try (0..<FilledIndex.images(scratch)).map(Samples.tag)
    }

    mutating func run() throws -> Int {
        turn = (turn + 1) % tags.count
        let row = try index.tag(repository: FilledIndex.repository, name: name, tags[turn])
        guard let row else { throw Unexpected("no tag") }
        return Int(row.checkedAt)
    }
}
