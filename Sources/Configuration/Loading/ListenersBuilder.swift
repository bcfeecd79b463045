import Linux

/// Builds `[[listener]]`: addresses, and what `root` means on each.
struct ListenersBuilder {
    let root: TOMLTable
    let repositories: [RepositoryConfiguration]
    /// All names written, so that one broken repository brings no second error here.
    let declared: [String]
    let tls: TLSCheck

    /// The listeners; the built-in one where none is written.
    func build(
        admin: ListenAddress, adminPlace: Place?, _ problems: inout Problems
    ) -> [ListenerConfiguration] {
        var listeners: [ListenerConfiguration] = []
        for (table, place) in tables(&problems) {
            let reader = SectionReader(section: ListenerKeys.section, table: table, place: place)
            reader.noteUnknownKeys(&problems)
            let listener = listener(reader, &problems)
            let at = reader.place(of: ListenerKeys.address.name)
            if let other = listeners.first(where: { $0.address.collides(with: listener.address) }) {
                problems.error(
                    "duplicate", "two listeners at \(listener.address)", at: at,
                    help: other.address == listener.address
                        ? nil : "\(other.address) is every address of this machine")
            }
            listeners.append(listener)
        }
        if let other = listeners.first(where: { $0.address.collides(with: admin) }) {
            problems.error(
                "duplicate", "admin has the address of a listener, \(other.address)",
                at: adminPlace, help: "health and metrics are served apart from the registry")
        }
        return listeners
    }

    private func tables(_ problems: inout Problems) -> [(TOMLTable, Place?)] {
        guard let entry = root["listener"] else { return [(TOMLTable(), nil)] }
        let noTables = "listener takes a list of tables"
        guard case .array(let nodes) = entry.value.content else {
            problems.error(
                "bad-type", "\(noTables), not \(entry.value.typeName)", at: entry.keyPlace,
                help: "[[listener]] with two brackets on each side")
            return [(TOMLTable(), nil)]
        }
        if nodes.isEmpty { return [(TOMLTable(), nil)] }
        return nodes.map { node in
            if node.table == nil { problems.error("bad-type", noTables, at: node.place) }
            return (node.table ?? TOMLTable(), node.place)
        }
    }

    private func listener(
        _ reader: SectionReader, _ problems: inout Problems
    ) -> ListenerConfiguration {
        let address = reader.value(ListenerKeys.address, &problems)
        let routes = reader.value(ListenerKeys.route, &problems)
        noteRoutes(routes, reader, &problems)
        var route = routes.map(\.value)
        let repository = repository(reader, route, &problems)
        // Without a repository the default has one way less.
        if repository == nil { route.removeAll { $0 == .root } }
        let hostnames = reader.optional(ListenerKeys.hostnames, &problems)?.map(\.value)
        if hostnames?.isEmpty == true {
            problems.error(
                "bad-value", "hostnames is empty, so every request would be refused",
                at: reader.place(of: ListenerKeys.hostnames.name), help: "\"*\" for any name")
        }
        return ListenerConfiguration(
            address: address, route: route, repository: route.contains(.root) ? repository : nil,
            hostnames: hostnames, tls: tls.names(reader, &problems))
    }

    private func noteRoutes(
        _ routes: [Located<ListenerConfiguration.Route>], _ reader: SectionReader,
        _ problems: inout Problems
    ) {
        if routes.isEmpty {
            problems.error(
                "bad-value", "route is empty, so no request would find a repository",
                at: reader.place(of: ListenerKeys.route.name))
        }
        var seen: Set<ListenerConfiguration.Route> = []
        for route in routes where !seen.insert(route.value).inserted {
            problems.error(
                "duplicate", "route names \"\(route.value.rawValue)\" twice", at: route.place)
        }
        if let root = routes.dropLast().first(where: { $0.value == .root }) {
            problems.error(
                "bad-value", "\"root\" takes every request, so it comes last", at: root.place)
        }
    }

    /// The repository of `root`: written, or the proxy of Docker Hub, or the only one.
    private func repository(
        _ reader: SectionReader, _ route: [ListenerConfiguration.Route],
        _ problems: inout Problems
    ) -> String? {
        if let name = reader.optional(ListenerKeys.repository, &problems) {
            let place = reader.place(of: ListenerKeys.repository.name)
            if !declared.contains(name) {
                let near = Suggestion.nearest(to: name, among: declared)
                problems.error(
                    "unknown-member", "there is no repository `\(Quoted.of(name))`", at: place,
                    label: near.map { "did you mean `\($0)`?" })
            } else if !route.contains(.root) {
                problems.error(
                    "bad-value", "repository does nothing: route has no \"root\"", at: place)
            }
            return name
        }
        let hub = repositories.first { $0.proxy?.registry == "docker.io" }
        let usual = hub ?? (repositories.count == 1 ? repositories.first : nil)
        if usual == nil, route.contains(.root), reader.isWritten(ListenerKeys.route.name) {
            problems.error(
                "missing-key", "route has \"root\", but the listener has no repository",
                at: reader.place(of: ListenerKeys.route.name), help: "repository = \"…\"")
        }
        return usual?.name
    }
}

extension ListenAddress {
    /// Whether both cannot be bound at once.
    fileprivate func collides(with other: ListenAddress) -> Bool {
        switch (self, other) {
        case (.tcp(let host, let port), .tcp(let otherHost, let otherPort)):
            port == otherPort && port != 0
                && (host == otherHost
                    || (host.isIPv6 == otherHost.isIPv6
                        && (host.isUnspecified || otherHost.isUnspecified)))
        case (.systemd(let name), .systemd(let otherName)): name == otherName
        default: false
        }
    }
}
