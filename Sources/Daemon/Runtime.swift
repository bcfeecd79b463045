import Configuration
import Linux
import Reactor
import Registry
import Server
import Store
import Telemetry

/// What lives as long as the process: threads, log, metrics, store, server. Made without a network.
struct Runtime: Sendable {
    let logger: Logger
    let metrics: DaemonMetrics
    let notifier: ServiceNotifier
    let signals: SignalSource
    let workers: WorkerPool
    let loops: [EventLoop]
    let store: BlobStore
    let server: Server
    let content: Content

    /// The loop that fetches and the daemon itself live on.
    var home: EventLoop { loops[0] }

    init(_ configuration: Configuration) throws(DaemonError) {
        logger = Logger(
            format: Logger.Format(rawValue: configuration.log.format.rawValue) ?? .auto,
            level: Logger.Level(rawValue: configuration.log.level.rawValue) ?? .info)
        metrics = DaemonMetrics(
            build: .init(version: Version.number, commit: Version.commit, swift: Version.swift),
            logger: logger)
        notifier = ServiceNotifier()
        // Before the first thread that is ours to signal: all inherit the blocked signals.
        signals = try Self.os { () throws(Errno) in try SignalSource() }
        let threads = configuration.threads
        workers = try Self.os { () throws(Errno) in
            try WorkerPool(threads: threads.workers, name: "worker")
        }
        loops = try Self.os { () throws(Errno) in
            var loops: [EventLoop] = []
            for index in 0..<max(1, threads.loops) {
                loops.append(try EventLoop.start(name: "loop-\(index)"))
            }
            return loops
        }
        store = try StoreBuilder.open(
            configuration.cache, workers: workers, logger: logger, metrics: metrics)
        server = Server(
            loops: loops, workers: workers, limits: ServerLimits(configuration.limits),
            events: ServerEvents(counting: metrics))
        content = Content(
            store: store, workers: workers, loop: loops[0], logger: logger,
            events: RegistryEvents(counting: metrics))
        metrics.store.show { [store] in StoreMetrics.Sample(store.statistics) }
    }

    private static func os<T>(_ body: () throws(Errno) -> T) throws(DaemonError) -> T {
        do throws(Errno) {
            return try body()
        } catch {
            throw DaemonError(.unavailable, "cannot start: \(error)")
        }
    }
}

extension StoreMetrics.Sample {
    fileprivate init(_ statistics: StoreStatistics) {
        self.init(
            sizeBytes: statistics.usedBytes, limitBytes: statistics.limitBytes,
            blobs: Int64(statistics.blobs), manifests: Int64(statistics.manifests),
            filesystemFreeBytes: statistics.freeBytes)
    }
}

extension ServerLimits {
    fileprivate init(_ limits: LimitsConfiguration) {
        self.init()
        connectionsMax = limits.connections
        connectionsPerAddressMax = limits.connectionsPerAddress
        requestsPerConnectionMax = limits.requestsPerConnection
        headerTimeout = limits.headerTimeout
        idleTimeout = limits.idleTimeout
        writeStallTimeout = limits.writeTimeout
    }
}

extension ServerEvents {
    fileprivate init(counting metrics: DaemonMetrics) {
        self.init()
        rejected = { reason, _ in metrics.http.rejected(reason) }
    }
}

extension RegistryEvents {
    fileprivate init(counting metrics: DaemonMetrics) {
        self.init(verified: { metrics.store.verified($0 ? .ok : .corrupt) })
    }
}
