import API
import Glibc
import Index
import Linux
import Reactor
import Registry
import Server
import Store
import Synchronization
import Telemetry
import TestSupport
import Upstream

/// The whole daemon on a simulated loop: Server, API, Registry, Store, Index; real sockets, real
/// files, scripted upstreams.
final class SimulatedDaemon {
    /// Where it listens: a name that no other daemon of this machine has.
    let address: SimulatedSocket.Address
    let loop: EventLoop
    let store: BlobStore
    let upstreams: [SimulatedUpstream]
    private let server: Server
    private let content: Content
    private let isClosed = Flag()

    static let tagTTL = Duration.seconds(60)
    static let staleMax = Duration.seconds(3600)
    static let maxAnswerTime = Duration.milliseconds(15_000)

    private static let logger = Logger(
        format: .logfmt, level: .error, descriptor: open("/dev/null", O_WRONLY | O_CLOEXEC))
    private static let metrics = DaemonMetrics(build: .init(version: "0", swift: "0"))

    /// Opens the store at `root` and starts serving `registries`, each as a proxy, and as a group.
    init(
        root: String, registries: [SimulatedRegistry], limits: StoreLimits, seed: UInt64,
        clock: ManualClock, trace: Trace
    ) throws {
        let loop = try EventLoop(simulatingSockets: seed, clock: clock)
        self.loop = loop
        let workers = WorkerPool(simulatedOn: loop)
        store = try BlobStore.open(
            root: root, limits: limits, workers: workers,
            indexThread: WorkerPool(simulatedOn: loop), clock: .manual(clock),
            report: { trace.add("store \($0)") })
        content = Content(store: store, workers: workers, loop: loop, logger: Self.logger)
        server = Server(loops: [loop], workers: workers, seed: seed)
        let upstreams = registries.map { SimulatedUpstream($0, loop: loop) }
        self.upstreams = upstreams
        let (listening, address) = try SimulatedSocket.listen()
        self.address = address
        let listener = try Listener(name: "sim", listening: FileDescriptor(owning: listening))
        let handler = Self.handler(upstreams, content, seed)
        loop.spawn { [server] in try? await server.serve(listener, by: handler) }
        loop.spawn { [store] in await store.reconcile() }
        flush(every: .seconds(10))
        loop.runUntilIdle()
    }

    private static func handler(
        _ upstreams: [SimulatedUpstream], _ content: Content, _ seed: UInt64
    ) -> RegistryHandler {
        let policy = ProxyPolicy(tagTTL: tagTTL, staleMax: staleMax)
        let proxies = upstreams.map { upstream in
            ProxyRepository(
                Scope(
                    "proxy-" + upstream.registry.host,
                    upstream: "https://\(upstream.registry.host)"),
                registry: upstream.registry.host,
                policy: policy,
                upstream: GuardedUpstream(
                    BudgetedUpstream(upstream, loop: content.loop), loop: content.loop, seed: seed),
                content: content)
        }
        let group = GroupRepository(name: "group", members: proxies, content: content)
        let table = RoutingTable(
            repositories: proxies.map { .proxy($0) } + [.group(group)],
            listeners: ["sim": .init(ways: [.namespace, .path, .root], repository: "group")],
            normalise: { $0 })
        let observer = RequestObserver(
            logger: logger, metrics: metrics, writesAccessLines: false, repositories: { _ in nil })
        return RegistryHandler(table: table, observer: observer)
    }

    private func flush(every interval: Duration) {
        loop.spawn { [isClosed, store, loop] in
            while !isClosed.isSet {
                await loop.sleep(for: interval)
                await store.flushRecency()
            }
        }
    }

    /// Drains and closes as SIGTERM does; `isDown` says when that is done.
    func stop(within bound: Duration) -> Flag {
        let isDown = Flag()
        isClosed.set()
        loop.spawn { [server, store] in
            await server.drain(within: bound)
            await store.close()
            isDown.set()
        }
        return isDown
    }

    /// The process is gone: nothing comes from upstream any more, nobody runs the loop.
    func kill() {
        for upstream in upstreams { upstream.cut() }
    }

    /// Lets what is left in the memory of a killed daemon come to its end; false if it does not.
    func bury() -> Bool {
        let isDown = stop(within: .zero)
        loop.advance(by: .seconds(200))
        return isDown.isSet
    }
}

/// Something that has happened or not.
final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    var isSet: Bool { value.load(ordering: .relaxed) }
    func set() { value.store(true, ordering: .relaxed) }
}
