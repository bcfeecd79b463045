import API
import Access
import Configuration
import Index
import Linux
import Reactor
import Registry
import Server
import Store
import Telemetry

/// The running daemon and its life.
///
/// | step   | what happens                                                          |
/// |--------|-----------------------------------------------------------------------|
/// | start  | repositories, listeners, READY; no upstream is asked                  |
/// | reload | SIGHUP: a new configuration as a whole, or not at all (OPS-2)         |
/// | stop   | SIGTERM: readiness off, drain, close the store, exit 0 (OPS-1)        |
actor Daemon {
    /// How often the store looks whether something is to be written or removed.
    private static let tidyInterval = Duration.seconds(10)
    /// How often the status line is refreshed.
    private static let statusInterval = Duration.seconds(5)

    /// Errors of a refused configuration that are logged.
    private static let errorsLoggedMax = 20

    private let runtime: Runtime
    private let health: Health
    private let reload: @Sendable () -> Result<Configuration, ConfigurationErrors>
    private let end: ExitCode
    private let observer: RequestObserver
    private let handler: RegistryHandler

    private var configuration: Configuration
    private var built = RepositoryBuilder.Built()
    private var access = AccessBuilder.Built()
    private var listeners: [BoundListener] { runtime.listeners }
    private let scrubber: Scrubber
    private var control: Listener?
    private var signals: Watch?
    private var isStopping = false
    /// Signals to reload since the reload under way began, itself included.
    private var reloadsWanted = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        runtime.home.asUnownedSerialExecutor()
    }

    init(
        _ runtime: Runtime, _ configuration: Configuration,
        reload: @escaping @Sendable () -> Result<Configuration, ConfigurationErrors>,
        end: ExitCode
    ) {
        self.runtime = runtime
        self.configuration = configuration
        self.reload = reload
        self.end = end
        health = Health(runtime)
        let table = runtime.repositories
        observer = RequestObserver(
            logger: runtime.logger, metrics: runtime.metrics,
            writesAccessLines: configuration.log.access, repositories: { table[$0] })
        handler = RegistryHandler(table: .empty, observer: observer)
        scrubber = Scrubber(
            runtime.content, runtime.metrics, every: configuration.cache.verify,
            rate: configuration.cache.verifyRate)
    }

    // MARK: - Start

    /// Opens the listeners and serves; upstreams are asked when somebody pulls, not before.
    func start() async throws(DaemonError) {
        try take(configuration)
        for bound in listeners { try await serve(bound) }
        await serveControl()
        try watchSignals()
        schedule(Self.tidyInterval) { [runtime] in await runtime.store.tidy() }
        schedule(Self.tidyInterval) { [runtime] in await runtime.store.tidyJournal() }
        runtime.home.spawn { [self] in await collectNowAndThen() }
        schedule(Self.statusInterval) { [self] in
            await tellStatus()
            await measurePins()
        }
        health.start()
        announce()
        let goesOn: @Sendable () async -> Bool = { [weak self] in await self?.goesOn ?? false }
        runtime.home.spawn { [runtime, scrubber] in
            await runtime.store.reconcile()
            await scrubber.run(while: goesOn)
        }
    }

    /// Opens the socket that commands come by; without it everything else still works.
    private func serveControl() async {
        let path = configuration.adminSocket
        do throws(Errno) {
            let listener = try Listener(
                name: "control", unix: path, ownLimit: Self.controlConnectionsMax)
            try await runtime.server.serve(
                listener,
                by: ControlHandler(
                    registry: handler, content: runtime.content, observer: observer,
                    isStopping: { [health] in health.isStopping }))
            control = listener
        } catch {
            runtime.logger.log(
                .error, "commands cannot be taken",
                ["socket": .string(path), "error": .string("\(error)")])
        }
    }

    /// Commands at a time.
    private static let controlConnectionsMax = 16

    private func collectNowAndThen() async {
        while goesOn {
            await runtime.home.sleep(for: configuration.cache.collect)
            await collect()
        }
    }

    /// Lets go of abandoned uploads, of tags that no rule keeps, and of blobs that nothing needs.
    private func collect() async {
        let lease = configuration.cache.lease
        let swept = await runtime.store.sweepUploads(idleFor: lease)
        for repository in built.repositories {
            guard case .hosted(let hosted) = repository else { continue }
            for key in swept where key == hosted.key { hosted.tell(.uploadEnded(.expired)) }
            await hosted.expireTags(lease: lease)
        }
        await runtime.content.collectHosted(lease: lease)
        for repository in built.repositories {
            guard case .hosted(let hosted) = repository, let bytes = await hosted.disk() else {
                continue
            }
            built.metrics[hosted.name]?.hosted?.bytes.set(Int(clamping: bytes))
        }
    }

    private func measurePins() async {
        let bytes = await runtime.workers.run { [store = runtime.store] in
            (try? store.index.pinnedDisk()) ?? 0
        }
        runtime.metrics.store.pinnedBytes.set(Int(clamping: bytes))
    }

    /// Puts a configuration into force: repositories first, then how requests find them.
    private func take(_ configuration: Configuration) throws(DaemonError) {
        let builder = RepositoryBuilder(runtime: runtime)
        built = try builder.build(configuration, keeping: built)
        built.turnOff(configuration)
        runtime.repositories.replace(built.metrics)
        self.configuration = configuration
        access = try AccessBuilder(runtime: runtime).build(configuration, keeping: access)
        handler.replace(
            table: RoutingTable(built.repositories, listeners, configuration),
            control: access.control)
        runtime.metrics.configuration.taken(wallSeconds: runtime.home.clock.dateSeconds)
        runtime.metrics.configuration.certificatesEnd(ListenerTLS.ends(configuration))
    }

    private func serve(_ bound: BoundListener) async throws(DaemonError) {
        do throws(Errno) {
            switch bound.purpose {
            case .registry: try await runtime.server.serve(bound.listener, by: handler)
            case .admin: try await runtime.server.serve(bound.listener, by: adminHandler())
            }
        } catch {
            throw DaemonError(
                .unavailable, "cannot serve \(bound.listener.identity.address): \(error)")
        }
    }

    private func adminHandler() -> AdminHandler {
        runtime.metrics.http.showConnections { [listeners] in
            listeners.map { ($0.listener.identity.address, $0.listener.openConnections) }
        }
        return AdminHandler(
            metrics: runtime.metrics.metrics, observer: observer, checks: health.checks)
    }

    private func schedule(
        _ interval: Duration, _ body: @escaping @Sendable () async -> Void
    ) {
        runtime.home.spawn { [weak self, loop = runtime.home] in
            while await self?.goesOn ?? false {
                await loop.sleep(for: interval)
                await body()
            }
        }
    }

    private var goesOn: Bool { !isStopping }

    /// Start-up lines: what is served, and what to try next.
    private func announce() {
        let logger = runtime.logger
        warn()
        let store = runtime.store.statistics
        logger.log(
            .info, "starting",
            [
                "version": .string(Version.number),
                "config": .string(configuration.source ?? "built in"),
                "store": .string(configuration.cache.path), "used": .integer(store.usedBytes),
                "limit": .integer(store.limitBytes),
            ])
        for repository in configuration.repositories {
            let kind =
                switch repository.kind {
                case .hosted: "hosted"
                case .proxy(let proxy): "proxy of \(proxy.registry)"
                case .group: "group"
                }
            logger.log(
                .info, "repository",
                ["name": .string(repository.name), "kind": .string(kind)])
        }
        for bound in listeners {
            logger.log(
                .info, "listening",
                [
                    "address": .string(bound.listener.identity.address),
                    "listener": .string(bound.listener.identity.name),
                    "scheme": .string(bound.listener.identity.isSecure ? "https" : "http"),
                ])
        }
        if let hint { logger.log(.info, "try", ["command": .string(hint)]) }
        logger.log(.info, "ready")
        runtime.notifier.ready(status: statusText)
    }

    /// Says at each start and reload what is odd (TLS-1).
    private func warn() {
        for warning in configuration.warnings {
            runtime.logger.log(.warn, "configuration", ["note": .string("\(warning)")])
        }
    }

    /// A command that shows the cache at work.
    private var hint: String? {
        guard let bound = listeners.first(where: { $0.purpose == .registry }),
            let registry = configuration.repositories.compactMap({ $0.proxy?.registry }).first
        else { return nil }
        let image = registry == "docker.io" ? "library/busybox" : "REPOSITORY"
        let scheme = bound.listener.identity.isSecure ? "https" : "http"
        return "curl -sI \(scheme)://\(bound.listener.identity.address)/v2/\(registry)/\(image)"
            + "/manifests/latest"
    }

    // MARK: - Status

    private func tellStatus() {
        runtime.notifier.status(statusText)
    }

    private var statusText: String {
        let store = runtime.store.statistics
        return "\(store.usedBytes >> 20) of \(store.limitBytes >> 20) MiB used, "
            + "\(runtime.server.openConnections) connections"
    }

    // MARK: - Signals

    private func watchSignals() throws(DaemonError) {
        do throws(Errno) {
            // The daemon lives as long as the process.
            signals = try runtime.signals.watch(on: runtime.home) { [runtime, self] meaning in
                runtime.home.spawn { await self.received(meaning) }
            }
        } catch {
            throw DaemonError(.unavailable, "cannot watch signals: \(error)")
        }
    }

    private func received(_ meaning: SignalSource.Meaning) async {
        switch meaning {
        case .reload: await reloadInTurn()
        case .stop where isStopping: end.set(0)  // The second time at once (OPS-1).
        case .stop: await stop()
        }
    }

    private func stop() async {
        isStopping = true
        health.isStopping = true
        runtime.notifier.stopping(status: "draining")
        runtime.logger.log(
            .info, "stopping",
            ["connections": .integer(Int64(runtime.server.openConnections))])
        await runtime.server.drain(within: configuration.limits.drainTimeout)
        if control != nil { try? System.unlinkUnix(configuration.adminSocket) }
        await runtime.store.close()
        runtime.logger.log(.info, "stopped")
        end.set(0)
    }

    // MARK: - Reload

    /// One after the other: what was read last is what stays.
    private func reloadInTurn() async {
        reloadsWanted += 1
        guard reloadsWanted == 1 else { return }
        while reloadsWanted > 0 {
            reloadsWanted = 1
            await takeNewConfiguration()
            reloadsWanted -= 1
        }
    }

    private func takeNewConfiguration() async {
        runtime.notifier.reloading()
        let result = await runtime.workers.run { [reload] in reload() }
        switch result {
        case .failure(let errors): refuse(errors.diagnostics.map(\.summary))
        case .success(let new):
            do throws(DaemonError) {
                try await takeNew(new)
            } catch {
                refuse([error.message])
            }
        }
        runtime.notifier.ready(status: statusText)
    }

    private func takeNew(_ new: Configuration) async throws(DaemonError) {
        let fixed = Configuration.changesRequiringRestart(from: configuration, to: new)
        guard fixed.isEmpty else {
            throw DaemonError(
                .configuration,
                "\(fixed.joined(separator: ", ")) cannot change while running; restart instead")
        }
        try ListenerBuilder.refuseSharing(new, listeners)
        let renewal = try ListenerTLS.renewal(of: listeners, by: new)
        try take(new)
        for (listener, context) in renewal { listener.replace(tls: context) }
        try? await runtime.store.apply(StoreBuilder.limits(new.cache))
        runtime.home.spawn { [runtime] in await runtime.store.trim() }
        await scrubber.set(every: new.cache.verify, rate: new.cache.verifyRate)
        runtime.logger.level = Logger.Level(rawValue: new.log.level.rawValue) ?? .info
        warn()
        runtime.logger.log(
            .info, "reloaded", ["config": .string(new.source ?? "built in")])
    }

    /// One line per error, each with its place in the file (OPS-2).
    private func refuse(_ reasons: [String]) {
        runtime.metrics.configuration.refused()
        for reason in reasons.prefix(Self.errorsLoggedMax) {
            runtime.logger.log(
                .error, "configuration not taken, the old one stays in force",
                ["reason": .string(reason)])
        }
    }
}
