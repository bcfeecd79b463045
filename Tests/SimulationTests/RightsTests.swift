import Glibc
import Index
import Linux
import OCI
import Reactor
import Registry
import Store
import Synchronization
import Telemetry
import TestSupport
import Testing
import Upstream

/// When a login's right is asked about again (AUTH-3), on a simulated clock.
struct RightsTests {
    private static let blob = [UInt8](repeating: 5, count: 300_000)

    /// An upstream with one blob that counts what it is asked.
    private final class OneBlob: UpstreamClient {
        struct State {
            var status = 200
            var heads = 0
            var gets = 0
        }
        let state = Mutex(State())

        func send(_ request: UpstreamRequest) async throws(UpstreamError) -> UpstreamResponse {
            let status = state.withLock { state in
                if request.method == .head { state.heads += 1 } else { state.gets += 1 }
                return state.status
            }
            if status == 0 { throw .connect(host: "x", detail: "down") }
            guard status == 200 else { return UpstreamResponse(status: status) }
            return UpstreamResponse(
                status: 200, contentLength: Int64(RightsTests.blob.count),
                body: request.method == .get ? BytesBody(RightsTests.blob) : EmptyBody())
        }
    }

    /// A proxy that asks for rights, and a clock to wind on.
    private final class World {
        let clock = ManualClock()
        let loop: EventLoop
        let upstream = OneBlob()
        let directory: TemporaryDirectory
        let store: BlobStore
        let proxy: ProxyRepository
        let name: RepositoryName
        let digest = StreamingHash.digest(of: RightsTests.blob, .sha256)

        init() throws {
            directory = try TemporaryDirectory()
            loop = EventLoop(simulating: 1, clock: clock)
            let workers = WorkerPool(simulatedOn: loop)
            store = try BlobStore.open(
                root: directory.path,
                limits: StoreLimits(maxSize: .bytes(64 << 20), minFree: .bytes(0)),
                workers: workers, indexThread: WorkerPool(simulatedOn: loop),
                clock: .manual(clock))
            let silent = open("/dev/null", O_WRONLY | O_CLOEXEC)
            let content = Content(
                store: store, workers: workers, loop: loop,
                logger: Logger(format: .logfmt, level: .error, descriptor: silent))
            proxy = ProxyRepository(
                Scope("p", upstream: "x", login: "ann"), registry: "p.example",
                policy: ProxyPolicy(), upstream: upstream, content: content, asksForRights: true)
            name = try #require(RepositoryName(parsing: "a/b"))
        }

        func pull() -> String {
            let end = Cell()
            loop.spawn { [proxy, name, digest] in
                do throws(RegistryError) {
                    guard case .file(let file) = try await proxy.blob(name, digest).content else {
                        return
                    }
                    while file.progress.phase == .growing {
                        _ = await file.progress(beyond: file.progress.written)
                    }
                    end.text.withLock { $0 = "\(file.progress.written) bytes" }
                } catch {
                    end.text.withLock { $0 = error.reason }
                }
            }
            loop.advance(by: .seconds(1))
            return end.text.withLock { $0 }
        }

        func set(_ status: Int) { upstream.state.withLock { $0.status = status } }

        var asked: (heads: Int, gets: Int) { upstream.state.withLock { ($0.heads, $0.gets) } }

        func close() {
            loop.spawn { [store] in await store.close() }
            loop.advance(by: .seconds(1))
        }
    }

    private final class Cell: Sendable {
        let text = Mutex("nothing")
    }

    @Test func aRightIsAskedForOnceAMinute() async throws {
        try await offThePool {
            let world = try World()
            for _ in 0..<20 { #expect(world.pull() == "300000 bytes") }
            #expect(world.asked == (1, 1))
            world.loop.advance(by: .seconds(61))
            for _ in 0..<20 { #expect(world.pull() == "300000 bytes") }
            #expect(world.asked == (2, 1))
            world.close()
        }
    }

    @Test(arguments: [(401, "denied"), (403, "denied"), (404, "not_found")])
    func aRightThatIsGoneEndsWithinAMinute(status: Int, reason: String) async throws {
        try await offThePool {
            let world = try World()
            #expect(world.pull() == "300000 bytes")
            world.set(status)
            #expect(world.pull() == "300000 bytes", "still believed")
            world.loop.advance(by: .seconds(60))
            for _ in 0..<5 { #expect(world.pull() == reason) }
            let heads = world.asked.heads
            #expect(heads <= 2, "a refusal is believed, too")
            world.set(200)
            world.loop.advance(by: .seconds(60))
            #expect(world.pull() == "300000 bytes")
            #expect(world.asked.gets <= 3, "what is kept is not fetched again")
            world.close()
        }
    }

    @Test func whoCannotBeAskedAboutIsNotServed() async throws {
        try await offThePool {
            let world = try World()
            #expect(world.pull() == "300000 bytes")
            for status in [0, 500] {
                world.set(status)
                world.loop.advance(by: .seconds(61))
                #expect(world.pull() == "unavailable")
                world.set(200)
                #expect(world.pull() == "300000 bytes")
            }
            world.set(0)
            for _ in 0..<50 { #expect(world.pull() == "300000 bytes") }
            world.loop.advance(by: .seconds(10))
            #expect(world.pull() == "unavailable")
            world.close()
        }
    }
}
