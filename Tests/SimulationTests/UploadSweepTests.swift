import OCI
import Reactor
import Store
import Synchronization
import TestSupport
import Testing

/// Uploads whose time is over, on the seeded loop: whoever was let go on with one finds it again.
@Suite struct UploadSweepTests {
    private static let uploads = 4

    @Test(arguments: [false, true])
    func whoComesBackInTheLastMomentKeepsHisUpload(afterRestart: Bool) async throws {
        let seeds = SeedSweep.seeds(count: 30)
        let failures = try await offThePool {
            try SeedSweep.failures(of: seeds) { seed in try Self.run(seed, afterRestart) }
        }
        for failure in failures { Issue.record("seed \(failure.seed): \(failure.text)") }
    }

    private static func run(_ seed: UInt64, _ afterRestart: Bool) throws -> [String] {
        let clock = ManualClock()
        let directory = try TemporaryDirectory()
        let loop = EventLoop(simulating: seed, clock: clock)
        var store = try open(directory, loop, clock)
        let ids = begin(store, loop)
        if afterRestart {
            close(store, loop)
            store = try open(directory, loop, clock)
        }
        loop.advance(by: .seconds(100))
        let lost = Found()
        loop.spawn { [store] in _ = await store.sweepUploads(idleFor: .seconds(60)) }
        for id in ids {
            loop.spawn { [store] in
                for _ in 0..<3 { await loop.yield() }
                guard let upload = try? await store.upload(id), upload.take() else { return }
                upload.giveBack()
                await loop.sleep(for: .seconds(1))
                if (try? await store.upload(id)) == nil { lost.add(id) }
            }
        }
        loop.advance(by: .seconds(10))
        close(store, loop)
        return lost.all.map { "\($0)" }
    }

    private static func open(
        _ directory: TemporaryDirectory, _ loop: EventLoop, _ clock: ManualClock
    ) throws -> BlobStore {
        try BlobStore.open(
            root: directory.path,
            limits: StoreLimits(maxSize: .bytes(64 << 20), minFree: .bytes(0)),
            workers: WorkerPool(simulatedOn: loop), indexThread: WorkerPool(simulatedOn: loop),
            clock: .manual(clock))
    }

    private static func begin(_ store: BlobStore, _ loop: EventLoop) -> [UploadID] {
        let begun = Found()
        loop.spawn {
            guard let name = RepositoryName(parsing: "a/b") else { return }
            for _ in 0..<uploads {
                let upload = try? await store.beginUpload(
                    repository: "releases", name: name, user: "", .sha256)
                if let upload { begun.add(upload.id) }
            }
        }
        loop.advance(by: .seconds(1))
        return begun.all
    }

    private final class Found: Sendable {
        private let ids = Mutex<[UploadID]>([])
        var all: [UploadID] { ids.withLock { $0 } }
        func add(_ id: UploadID) { ids.withLock { $0.append(id) } }
    }

    private static func close(_ store: BlobStore, _ loop: EventLoop) {
        loop.spawn { await store.close() }
        loop.advance(by: .seconds(1))
    }
}
