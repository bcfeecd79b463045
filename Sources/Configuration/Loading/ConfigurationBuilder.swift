/// Builds the value tree from the merged tables, noting everything that is wrong on the way.
struct ConfigurationBuilder {
    let source: ConfigurationSource
    let root: TOMLTable
    var problems: Problems

    /// The configuration, or nil when a part is missing; it counts only if no error was noted.
    mutating func build() -> Configuration? {
        noteUnknownTables()
        let top = SectionReader(section: TopKeys.section, table: root, place: nil)
        _ = top.value(TopKeys.version, &problems)
        let cache = cache()
        let admin = admin()
        let limits = limits()
        let threads = threads()
        let log = log()
        var repositories = RepositoriesBuilder(source: source, root: root)
        let built = repositories.build(&problems)
        let tls = TLSBuilder(source: source, root: root)
        let certificates = TLSCheck(
            certificates: tls.build(&problems), declared: tls.declaredNames)
        let listeners = ListenersBuilder(
            root: root, repositories: built, declared: repositories.declaredNames,
            tls: certificates
        ).build(admin: admin.address, adminPlace: adminPlace, &problems)
        certificates.noteUnused(by: listeners, root, &problems)
        let auth = auth(built, repositories.declaredNames, cache?.path)
        guard let cache else { return nil }
        var configuration = Configuration(
            cache: cache, listeners: listeners, tls: certificates.certificates, admin: admin,
            repositories: built, auth: auth, limits: limits, threads: threads, log: log,
            source: source.file?.name, warnings: [])
        ExposureCheck(configuration: configuration, places: repositories.passwordPlaces)
            .note(&problems)
        configuration.warnings = problems.diagnostics.filter { $0.severity == .warning }
        return configuration
    }

    /// A reader of a plain section; a value that is no table is noted.
    private mutating func reader(_ section: Section) -> SectionReader {
        let entry = root[section.name]
        let reader = SectionReader(
            section: section, table: entry?.value.table ?? TOMLTable(), place: entry?.keyPlace)
        if let entry, entry.value.table == nil {
            problems.error(
                "bad-type", "\(section.name) takes a table, not \(entry.value.typeName)",
                at: entry.keyPlace, help: "[\(section.name)] on a line of its own")
        }
        reader.noteUnknownKeys(&problems)
        return reader
    }

    private mutating func noteUnknownTables() {
        let known = KeyTable.tables.map(\.name) + TopKeys.section.keys.map(\.name)
        for entry in root.entries where !known.contains(entry.key) {
            guard !problems.isFull else { return }
            let isTable = entry.value.table != nil
            let folded = Suggestion.folded(entry.key)
            let meant = KeyTable.tables.first { table in
                table.synonyms.contains { Suggestion.folded($0) == folded }
            }
            let near = meant?.name ?? Suggestion.nearest(to: entry.key, among: known)
            let elsewhere = KeyTable.sections.dropFirst().first {
                !isTable && $0.key(named: entry.key) != nil
            }
            problems.error(
                "unknown-key",
                "unknown \(isTable ? "table" : "key") `\(Quoted.of(entry.key))` at the top level",
                at: entry.keyPlace, label: near.map { "did you mean `\($0)`?" },
                help: near == nil
                    ? elsewhere.map { "`\(entry.key)` is a key of [\($0.name)]" }
                        ?? "here: \(known.joined(separator: ", "))"
                    : nil)
        }
    }

    private mutating func cache() -> CacheConfiguration? {
        let reader = reader(CacheKeys.section)
        let maxSize = reader.value(CacheKeys.maxSize, &problems)
        let minFree = reader.value(CacheKeys.minFree, &problems)
        let isWritten = reader.isWritten(CacheKeys.path.name)
        let written = reader.optional(CacheKeys.path, &problems)
        guard let path = isWritten ? written : StorePath.usual(source) else {
            if !isWritten {
                problems.error(
                    "missing-key", "no directory for the store: $HOME is not set", at: nil,
                    help: "set cache.path, or start with --store")
            }
            return nil
        }
        return CacheConfiguration(
            path: path, maxSize: maxSize, minFree: minFree,
            verify: reader.value(CacheKeys.verify, &problems),
            verifyRate: reader.value(CacheKeys.verifyRate, &problems),
            collect: reader.value(CacheKeys.collect, &problems),
            lease: reader.value(CacheKeys.lease, &problems))
    }

    /// Nil where there is no such table.
    private mutating func auth(
        _ repositories: [RepositoryConfiguration], _ declared: [String], _ store: String?
    ) -> AuthConfiguration? {
        guard root[AuthKeys.section.name] != nil else { return nil }
        return AuthBuilder(
            reader: reader(AuthKeys.section), repositories: repositories,
            declared: declared, store: store
        ).build(&problems)
    }

    private mutating func admin() -> AdminConfiguration {
        let reader = reader(AdminKeys.section)
        return AdminConfiguration(
            address: reader.value(AdminKeys.address, &problems),
            socket: reader.optional(AdminKeys.socket, &problems) ?? serviceSocket)
    }

    private mutating func limits() -> LimitsConfiguration {
        let reader = reader(LimitsKeys.section)
        return LimitsConfiguration(
            connections: reader.value(LimitsKeys.connections, &problems),
            connectionsPerAddress: reader.value(LimitsKeys.connectionsPerAddress, &problems),
            requestsPerConnection: reader.value(LimitsKeys.requestsPerConnection, &problems),
            manifestSize: reader.value(LimitsKeys.manifestSize, &problems),
            blobSize: reader.value(LimitsKeys.blobSize, &problems),
            headerTimeout: reader.value(LimitsKeys.headerTimeout, &problems),
            idleTimeout: reader.value(LimitsKeys.idleTimeout, &problems),
            writeTimeout: reader.value(LimitsKeys.writeTimeout, &problems),
            drainTimeout: reader.value(LimitsKeys.drainTimeout, &problems))
    }

    private mutating func threads() -> ThreadsConfiguration {
        let reader = reader(ThreadsKeys.section)
        return ThreadsConfiguration(
            loops: reader.value(ThreadsKeys.loops, &problems),
            workers: reader.optional(ThreadsKeys.workers, &problems)
                ?? min(4, max(2, source.host.cores)))
    }

    private mutating func log() -> LogConfiguration {
        let reader = reader(LogKeys.section)
        return LogConfiguration(
            level: reader.value(LogKeys.level, &problems),
            format: reader.value(LogKeys.format, &problems),
            access: reader.value(LogKeys.access, &problems))
    }

    /// In the directory that systemd makes for the service (`RuntimeDirectory=`).
    private var serviceSocket: String? {
        guard let directory = source.environment["RUNTIME_DIRECTORY"]?.split(separator: ":").first,
            directory.hasPrefix("/")
        else { return nil }
        return "\(directory)/admin.sock"
    }

    private var adminPlace: Place? { root["admin"]?.value.table?["address"]?.value.place }
}

/// Where the store is when nobody says so.
enum StorePath {
    /// systemd's state directory, the system's for root, else the user's data directory.
    static func usual(_ source: ConfigurationSource) -> String? {
        let environment = source.environment
        // Several directories are separated by colons; the first is the unit's main one.
        if let state = environment["STATE_DIRECTORY"]?.split(separator: ":").first,
            state.hasPrefix("/")
        {
            return String(state)
        }
        if source.host.isRoot { return "/var/lib/cistern" }
        // The XDG specification: a relative path is to be ignored.
        if let data = environment["XDG_DATA_HOME"], data.hasPrefix("/") { return "\(data)/cistern" }
        guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
        return "\(home)/.local/share/cistern"
    }
}
