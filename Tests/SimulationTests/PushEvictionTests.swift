import Glibc
import Index
import OCI
import Reactor
import Registry
import Store
import Synchronization
import Telemetry
import TestSupport
import Testing

/// Pushes while room is made for something else, on the seeded loop: what a client has sent, or
/// was told is here, is not evicted before it is linked (P12).
///
/// A failing seed replays exactly: `CISTERN_TEST_SEED=N swift test --filter PushEvictionTests`.
@Suite(.serialized) struct PushEvictionTests {
    private static let seedsByDefault: UInt64 = 120

    // What was let go is the first to be evicted, and is just what is pushed again.
    @Test func whatIsPushedAgainIsNotEvictedMeanwhile() async throws {
        let seeds = SeedSweep.seeds(count: Self.seedsByDefault)
        let failures = try await offThePool {
            try SeedSweep.failures(of: seeds) { seed in try Scene(seed: seed).run() }
        }
        for failure in failures.prefix(10) {
            Issue.record("seed \(failure.seed): \(failure.text)")
        }
        #expect(
            failures.isEmpty, "\(Set(failures.map(\.seed)).count) of \(seeds.count) seeds failed")
    }
}

/// A hosted repository, clients who push again what was let go there, and somebody who needs room.
private final class Scene {
    private static let storeBytes: Int64 = 32 << 20
    /// Blobs and manifests.
    private static let objects = 10

    private static let logger = Logger(
        format: .logfmt, level: .error, descriptor: open("/dev/null", O_WRONLY | O_CLOEXEC))

    private let loop: EventLoop
    private let store: BlobStore
    private let hosted: HostedRepository
    private let directory: TemporaryDirectory
    private let name: RepositoryName
    /// How long the puller waits, so that it meets the pusher anywhere on its way.
    private let turns: Int
    private let problems = Problems()

    init(seed: UInt64) throws {
        let clock = ManualClock()
        directory = try TemporaryDirectory()
        loop = EventLoop(simulating: seed, clock: clock)
        let workers = WorkerPool(simulatedOn: loop)
        store = try BlobStore.open(
            root: directory.path,
            limits: StoreLimits(maxSize: .bytes(Self.storeBytes), minFree: .bytes(0)),
            workers: workers, indexThread: WorkerPool(simulatedOn: loop), clock: .manual(clock),
            loop: loop)
        let content = Content(store: store, workers: workers, loop: loop, logger: Self.logger)
        var policy = HostedPolicy()
        policy.allowsDelete = true
        hosted = HostedRepository(name: "releases", policy: policy, content: content)
        name = try #require(RepositoryName(parsing: "soak/a"))
        var generator = Reactor.SeededGenerator(seed: seed)
        turns = Int.random(in: 0..<100, using: &generator)
    }

    /// What went wrong.
    func run() -> [String] {
        prepare()
        for number in 0..<Self.objects {
            loop.spawn { [hosted, name, problems] in
                await problems.note("the push of \(number)") {
                    let digest = try await Self.push(number, hosted, name)
                    _ = try await hosted.blob(name, digest)
                }
            }
        }
        loop.spawn { [store, loop, turns] in
            for _ in 0..<turns { await loop.yield() }
            await Self.makeRoom(store)
        }
        loop.advance(by: .seconds(20))
        close()
        return problems.all
    }

    /// Stores what is nobody's any more: the first to be evicted.
    private func prepare() {
        loop.spawn { [hosted, store, name, problems] in
            await store.reconcile()
            await problems.note("the beginning") {
                for number in 0..<Self.objects {
                    let digest = try await Self.push(number, hosted, name)
                    if Self.isManifest(number) {
                        try await hosted.delete(name, .digest(digest))
                    } else {
                        try await hosted.delete(blob: digest, name)
                    }
                }
                try await store.put(Self.other, as: Self.digest(Self.other))
            }
        }
        loop.advance(by: .seconds(20))
    }

    /// Somebody needs a little more than is free.
    private static func makeRoom(_ store: BlobStore) async {
        store.markUsed(digest(other))
        let space = store.statistics
        let size = (space.limitBytes - space.usedBytes + missing) / 1025 * 1024
        guard let writer = try? await store.writer(for: digest([1]), size: size) else { return }
        await writer.abandon()
    }

    private static let missing: Int64 = 100_000
    private static let other = TestContent(seed: 999, size: 1 << 20).bytes

    private func close() {
        let isClosed = Flag()
        loop.spawn { [store] in
            await store.close()
            isClosed.set()
        }
        loop.advance(by: .seconds(20))
        if !isClosed.isSet { problems.add("somebody waits for ever") }
    }

    private static func isManifest(_ number: Int) -> Bool { number % 3 == 0 }

    private static func push(
        _ number: Int, _ hosted: HostedRepository, _ name: RepositoryName
    ) async throws -> Digest {
        if isManifest(number) {
            let bytes = Array(
                """
                {"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",\
                "manifests":[],"annotations":{"number":"\(number)"}}
                """.utf8)
            _ = try await hosted.put(
                bytes, as: digest(bytes), contentType: nil, tags: [], name)
            return digest(bytes)
        }
        let bytes = TestContent(seed: UInt64(number), size: 20_000).bytes
        let upload = try await hosted.beginUpload(name, user: "")
        guard upload.take() else { throw PushError.uploadBusy }
        try await hosted.append(Chunk(bytes), to: upload)
        try await hosted.finish(upload, as: digest(bytes), name)
        return digest(bytes)
    }

    private static func digest(_ bytes: [UInt8]) -> Digest {
        StreamingHash.digest(of: bytes, .sha256)
    }
}

/// What the clients of a run were refused.
private final class Problems: Sendable {
    private let texts = Mutex<[String]>([])

    var all: [String] { texts.withLock { $0 } }

    func add(_ text: String) { texts.withLock { $0.append(text) } }

    func note(_ what: String, _ body: () async throws -> Void) async {
        do { try await body() } catch { add("\(what): \(error)") }
    }
}
