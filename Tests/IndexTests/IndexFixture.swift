import OCI
import Reactor
import TestSupport

@testable import Index

/// The simulation's generator; TestSupport has another of that name.
typealias Dice = Reactor.SeededGenerator

/// An index in a directory of its own, with short words for what tests do to it.
struct IndexFixture {
    let scratch: TemporaryDirectory
    let clock: ManualClock
    let index: ContentIndex

    init(_ scratch: TemporaryDirectory? = nil, clock: ManualClock = ManualClock()) throws {
        let scratch = try scratch ?? TemporaryDirectory()
        self.scratch = scratch
        self.clock = clock
        index = try ContentIndex.open(
            directory: scratch.path, thread: try WorkerPool(threads: 1, name: "index"),
            clock: .manual(clock))
    }

    /// A digest that stands for `number`.
    static func digest(_ number: Int, _ algorithm: Digest.Algorithm = .sha256) -> Digest {
        var bytes = [UInt8](repeating: 0, count: algorithm.byteCount)
        var generator = Dice(seed: UInt64(truncatingIfNeeded: number))
        for place in bytes.indices { bytes[place] = UInt8.random(in: 0...255, using: &generator) }
        guard let digest = Digest(algorithm, bytes: bytes) else { preconditionFailure("digest") }
        return digest
    }

    static func name(_ text: String) -> RepositoryName {
        guard let name = RepositoryName(parsing: text) else { preconditionFailure("name") }
        return name
    }

    static func tag(_ text: String) -> Tag {
        guard let tag = Tag(parsing: text) else { preconditionFailure("tag") }
        return tag
    }

    func blob(_ number: Int, disk: Int64 = 4096, at stamp: Int64) async throws {
        _ = try await index.record(
            blob: Self.digest(number), size: disk - 1, disk: disk, stamp: stamp)
    }

    /// Stores manifest `number`, which names `children`.
    func image(
        _ number: Int, _ children: [Int], at stamp: Int64, repository: String = "hub",
        name: String = "library/app"
    ) async throws {
        try await blob(number, at: stamp)
        let record = ManifestRecord(
            digest: Self.digest(number), mediaType: "m", size: 4095,
            children: children.map {
                ChildRow(digest: Self.digest($0), size: 10, mediaType: "c")
            })
        _ = try await index.record(
            manifest: record, repository: repository, name: Self.name(name))
    }

    /// Evicts and gives the numbers of what went.
    func evict(
        bytes: Int64, kept: [Int] = [], among known: [Int],
        claim: @escaping @Sendable ([Digest]) -> Bool = { _ in true }
    ) async throws -> [Int] {
        let gone = try await index.evict(
            EvictionRequest(bytes: bytes, kept: kept.map { Self.digest($0) }), claim: claim)
        try await index.settle(gone.map(\.digest))
        let numbers = Dictionary(uniqueKeysWithValues: known.map { (Self.digest($0), $0) })
        return gone.compactMap { numbers[$0.digest] }
    }

    func isStored(_ number: Int) throws -> Bool {
        try index.blob(Self.digest(number)) != nil
    }
}
