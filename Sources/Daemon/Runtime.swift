import Configuration
import Linux
import Reactor
import Registry
import Server
import Store
import Telemetry

/// What lives as long as the process: threads, log, metrics, store, server.
///
/// Made without asking any upstream.
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
    /// The metrics of the repositories in force.
    let repositories = RepositoryMetricsTable()
    /// Open, but not accepting yet.
    let listeners: [BoundListener]

    /// What they do takes a moment each; a second one, in case a file system does not.
    private static let fileThreads = 2

    /// The loop that fetches and the daemon itself live on.
    var home: EventLoop { loops[0] }

    init(_ configuration: Configuration) throws(DaemonError) {
        // Before the first thread: these take variables out of the environment, and all threads
        // inherit the blocked signals. A port in use is found before the store is touched.
        notifier = ServiceNotifier()
        listeners = try ListenerBuilder.bind(configuration)
        signals = try Self.os { () throws(Errno) in try SignalSource() }
        logger = Logger(
            format: Logger.Format(rawValue: configuration.log.format.rawValue) ?? .auto,
            level: Logger.Level(rawValue: configuration.log.level.rawValue) ?? .info)
        metrics = DaemonMetrics(
            build: .init(version: Version.number, swift: Version.swift), logger: logger)
        let threads = configuration.threads
        workers = try Self.os { () throws(Errno) in
            try WorkerPool(
                threads: threads.workers, name: "worker", niceness: WorkerPool.giveWay)
        }
        let fileThreads = try Self.os { () throws(Errno) in
            try WorkerPool(threads: Self.fileThreads, name: "file")
        }
        let lag = metrics.loopLag
        loops = try Self.os { () throws(Errno) in
            var loops: [EventLoop] = []
            for index in 0..<max(1, threads.loops) {
                loops.append(
                    try EventLoop.start(name: "loop-\(index)", turnTook: { lag.observe($0) }))
            }
            return loops
        }
        store = try StoreBuilder.open(
            configuration.cache, workers: workers, fileThreads: fileThreads, loop: loops[0],
            logger: logger,
            metrics: metrics)
        server = Server(
            loops: loops, workers: workers, limits: ServerLimits(configuration.limits),
            events: ServerEvents(counting: metrics, logger))
        content = Content(
            store: store, workers: workers, loop: loops[0], logger: logger,
            events: RegistryEvents(counting: metrics, repositories))
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
    fileprivate init(counting metrics: DaemonMetrics, _ logger: Logger) {
        self.init()
        rejected = { reason, _ in metrics.http.rejected(reason) }
        handshakeFailed = { reason, peer, listener in
            logger.log(
                .info, "tls handshake failed",
                [
                    "reason": .string(reason), "client": .string(peer),
                    "listener": .string(listener.name),
                ])
        }
    }
}

extension RegistryEvents {
    fileprivate init(counting metrics: DaemonMetrics, _ repositories: RepositoryMetricsTable) {
        self.init(
            verified: { repository, isRight in
                metrics.store.verified(isRight ? .ok : .corrupt)
                guard !isRight, let repository else { return }
                repositories[repository]?.upstreamFailed(.digestMismatch)
            },
            fetching: { repositories[$0]?.fetchesInFlight.add($1) },
            hosted: { repositories[$0]?.hosted?.count($1) })
    }
}

extension HostedMetrics {
    fileprivate func count(_ event: HostedEvent) {
        switch event {
        case .uploadBegan: uploadsStarted.add()
        case .uploadEnded(let ending): uploadEnded(ending)
        case .received(let bytes): receivedBytes.add(bytes)
        case .mounted: mounts.add()
        case .manifest: manifests.add()
        case .damaged: damaged.add()
        case .collected(let kind, let count): collected(kind, count)
        }
    }
}
