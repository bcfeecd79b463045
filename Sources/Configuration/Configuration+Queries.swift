extension Configuration {
    /// The proxies below a repository in the order they are asked; a proxy is below itself.
    package func proxies(below name: String) -> [RepositoryConfiguration] {
        var found: [RepositoryConfiguration] = []
        var visited: Set<String> = []
        func visit(_ name: String) {
            // Visited once each, so even a group that contains itself would end.
            guard visited.insert(name).inserted, let repository = repository(named: name) else {
                return
            }
            switch repository.kind {
            case .hosted: break
            case .proxy: found.append(repository)
            case .group(let group): for member in group.members { visit(member) }
            }
        }
        visit(name)
        return found
    }

    /// The hosted repositories below a repository in order; a hosted one is below itself.
    package func hosted(below name: String) -> [String] {
        var found: [String] = []
        var visited: Set<String> = []
        func visit(_ name: String) {
            guard visited.insert(name).inserted, let repository = repository(named: name) else {
                return
            }
            switch repository.kind {
            case .hosted: found.append(name)
            case .proxy: break
            case .group(let group): for member in group.members { visit(member) }
            }
        }
        visit(name)
        return found
    }

    /// Proxies with a login that is not to be shared, as far as requests to this listener get.
    ///
    /// Must be empty for a listener that is not on loopback (AUTH-8). For sockets of systemd's only
    /// the daemon can tell, once it has them.
    package func unsharedRepositories(reachableFrom listener: ListenerConfiguration) -> [String] {
        if auth?.anonymous == AuthConfiguration.Anonymous.none { return [] }
        let reachable =
            listener.route.contains { $0 != .root }
            ? repositories : listener.repository.map { proxies(below: $0) } ?? []
        return reachable.compactMap { repository in
            guard let proxy = repository.proxy, proxy.hasLogin, !proxy.sharePrivate else {
                return nil
            }
            return repository.name
        }
    }

    /// The unix socket of the daemon: as configured or given by systemd, else in its store.
    package var adminSocket: String { admin.socket ?? "\(cache.path)/admin.sock" }

    /// Where a command looks for the daemon's socket, in this order: one that runs as a service
    /// has been given another directory than its store.
    package var adminSockets: [String] {
        admin.socket.map { [$0] } ?? [adminSocket, "/run/cistern/admin.sock"]
    }

    /// The options whose new value a reload cannot take up, by name; empty when it can take all.
    package static func changesRequiringRestart(
        from old: Configuration, to new: Configuration
    ) -> [String] {
        var names: [String] = []
        if old.cache.path != new.cache.path { names.append("cache.path") }
        if old.listeners.map(\.address) != new.listeners.map(\.address) {
            names.append("listener.address")
        }
        if old.listeners.map(\.hostnames) != new.listeners.map(\.hostnames) {
            names.append("listener.hostnames")
        }
        if old.listeners.map(\.tls.isEmpty) != new.listeners.map(\.tls.isEmpty) {
            names.append("listener.tls")
        }
        if old.admin.address != new.admin.address { names.append("admin.address") }
        if old.admin.socket != new.admin.socket { names.append("admin.socket") }
        if old.threads.loops != new.threads.loops { names.append("threads.loops") }
        if old.threads.workers != new.threads.workers { names.append("threads.workers") }
        names += LimitsConfiguration.changesRequiringRestart(from: old.limits, to: new.limits)
        if old.log.format != new.log.format { names.append("log.format") }
        if old.log.access != new.log.access { names.append("log.access") }
        return names
    }
}

extension LimitsConfiguration {
    /// The server takes its bounds once; those on upstreams and on draining are taken each time.
    fileprivate static func changesRequiringRestart(
        from old: LimitsConfiguration, to new: LimitsConfiguration
    ) -> [String] {
        let fixed: [(name: String, isChanged: Bool)] = [
            ("connections", old.connections != new.connections),
            (
                "connections_per_address",
                old.connectionsPerAddress != new.connectionsPerAddress
            ),
            (
                "requests_per_connection",
                old.requestsPerConnection != new.requestsPerConnection
            ),
            ("header_timeout", old.headerTimeout != new.headerTimeout),
            ("idle_timeout", old.idleTimeout != new.idleTimeout),
            ("write_timeout", old.writeTimeout != new.writeTimeout),
        ]
        return fixed.filter(\.isChanged).map { "limits.\($0.name)" }
    }
}
