import API
import Configuration
import Glibc
import Reactor
import Registry
import Store
import Telemetry
import Upstream

/// Which of the configured repositories a request means.
struct SelectBenchmark: Benchmark {
    static let name = "select"
    static let operation = "the proxy that `?ns=docker.io` means, among six"

    private static let registries = [
        "docker.io", "quay.io", "ghcr.io", "registry.k8s.io", "mcr.microsoft.com", "gcr.io",
    ]

    private let table: RoutingTable

    init(_ scratch: Scratch) throws {
        let content = try Self.content(scratch)
        let proxies = Self.registries.map { registry in
            Repository.proxy(
                ProxyRepository(
                    Scope(registry, upstream: "https://\(registry)"), registry: registry,
                    policy: ProxyPolicy(), upstream: NobodyUpstream(), content: content))
        }
        table = RoutingTable(
            repositories: proxies,
            listeners: ["main": .init(ways: [.namespace, .path, .root], repository: "docker.io")],
            normalise: { RegistryAlias.normalised($0) })
    }

    func run() throws -> Int {
        let selection = table.select(
            listener: "main", prefix: nil, name: "library/nginx", namespace: "docker.io")
        guard let selection else { throw Unexpected("no repository") }
        return selection.name.utf8.count
    }

    /// An empty store, which proxies cannot be without.
    private static func content(_ scratch: Scratch) throws -> Content {
        let clock = ManualClock()
        let loop = EventLoop(simulating: 1, clock: clock)
        let workers = WorkerPool(simulatedOn: loop)
        let store = try BlobStore.open(
            root: try scratch.folder("store"), limits: StoreLimits(), workers: workers,
            indexThread: workers, clock: .manual(clock))
        return Content(
            store: store, workers: workers, loop: loop, logger: Logger(format: .logfmt))
    }
}

/// Stands where nobody is asked.
private struct NobodyUpstream: UpstreamClient {
    func send(_ request: UpstreamRequest) async throws(UpstreamError) -> UpstreamResponse {
        throw .offline
    }
}
