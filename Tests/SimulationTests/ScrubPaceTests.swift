import Glibc
import OCI
import Reactor
import Registry
import Store
import Synchronization
import Telemetry
import TestSupport
import Testing

/// How long the scrub takes for a file, on the manual clock.
@Suite struct ScrubPaceTests {
    private static let bytes = [UInt8](repeating: 5, count: 4 << 20)

    // A client that is served goes first, but one that never ends does not hold up the scrub.
    @Test func whatYields_stepsBackWhileSomebodyIsServed() async throws {
        let digest = StreamingHash.digest(of: Self.bytes, .sha256)
        let times = try await scrubbing { store, scrub in
            guard let file = await store.open(digest) else { return [] }
            var times: [Duration] = []
            for (isServed, yields) in [(false, true), (true, false), (true, true)] {
                if isServed { file.addReader() }
                times.append(await scrub(digest, yields))
                if isServed { file.removeReader() }
            }
            return times
        }
        #expect(times == [.seconds(4), .seconds(4), .seconds(32)])
    }

    @Test func whatYields_stepsBackWhileSomethingIsStored() async throws {
        let digest = StreamingHash.digest(of: Self.bytes, .sha256)
        let times = try await scrubbing { store, scrub in
            let other = StreamingHash.digest(of: [1], .sha256)
            guard let writer = try? await store.writer(for: other, size: 1) else { return [] }
            let during = await scrub(digest, true)
            await writer.abandon()
            return [during, await scrub(digest, true)]
        }
        #expect(times == [.seconds(32), .seconds(4)])
    }

    private typealias Scrub = @Sendable (Digest, _ yields: Bool) async -> Duration

    /// Runs `use` with a store of one file, which is read at 1 MiB/s.
    private func scrubbing(
        _ use: @escaping @Sendable (BlobStore, Scrub) async -> [Duration]
    ) async throws -> [Duration] {
        try await offThePool {
            let directory = try TemporaryDirectory()
            let clock = ManualClock()
            let loop = EventLoop(simulating: 1, clock: clock)
            let workers = WorkerPool(simulatedOn: loop)
            let store = try BlobStore.open(
                root: directory.path,
                limits: StoreLimits(maxSize: .bytes(64 << 20), minFree: .bytes(0)),
                workers: workers, indexThread: WorkerPool(simulatedOn: loop),
                clock: .manual(clock))
            let silent = open("/dev/null", O_WRONLY | O_CLOEXEC)
            let content = Content(
                store: store, workers: workers, loop: loop,
                logger: Logger(format: .logfmt, level: .error, descriptor: silent))
            let result = Mutex<[Duration]>([])
            loop.spawn {
                try? await store.put(Self.bytes, as: StreamingHash.digest(of: Self.bytes, .sha256))
                let times = await use(store) { digest, yields in
                    let start = loop.now
                    let found = await content.scrub(digest, rate: 1 << 20, yields: yields)
                    return found == .ok ? loop.now - start : .zero
                }
                result.withLock { $0 = times }
            }
            loop.advance(by: .seconds(120))
            loop.spawn { await store.close() }
            loop.advance(by: .seconds(1))
            return result.withLock { $0 }
        }
    }
}
