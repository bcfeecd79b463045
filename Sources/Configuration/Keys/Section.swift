/// The keys of one table, or of one kind of table.
struct Section: Sendable {
    /// As the table is written: `cache`, `[listener]`, `repositories.NAME`.
    let name: String
    /// For messages: "in [cache]", "in a proxy repository".
    let whereabouts: String
    let keys: [KeyDescription]

    func key(named name: String) -> KeyDescription? {
        keys.first { $0.name == name }
    }

    /// The key that was meant by a name this section does not have.
    func suggestion(for word: String) -> String? {
        let folded = Suggestion.folded(word)
        let meant = keys.first { key in
            key.synonyms.contains { Suggestion.folded($0) == folded }
        }
        return meant?.name ?? Suggestion.nearest(to: word, among: keys.map(\.name))
    }
}

/// All sections: the one table of keys.
enum KeyTable {
    static let sections = [
        TopKeys.section, CacheKeys.section, ListenerKeys.section, TLSKeys.section,
        AdminKeys.section,
        RepositoryKeys.section, DefaultsKeys.section, ProxyKeys.section, UpstreamKeys.section,
        GroupKeys.section, HostedKeys.section, KeepKeys.section, AuthKeys.section,
        AuthRuleKeys.section, LimitsKeys.section,
        ThreadsKeys.section, LogKeys.section,
    ]

    /// The tables at the top of a file, with words of other tools for them.
    static let tables: [(name: String, synonyms: [String])] = [
        ("cache", ["store", "storage", "blobstore", "disk"]),
        ("listener", ["listen", "http", "server", "listeners", "connector", "bind", "addr"]),
        ("tls", ["ssl", "https", "certificates", "certificate", "cert"]),
        ("admin", ["metrics", "debug", "web", "health", "prometheus", "monitoring"]),
        (
            "repositories",
            [
                "repository", "repos", "repo", "proxy", "proxies", "registry", "registries",
                "mirrors",
            ]
        ),
        ("defaults", ["default", "proxy_defaults"]),
        (
            "auth",
            ["authentication", "authorization", "access", "users", "login", "security", "acl"]
        ),
        ("limits", ["limit"]),
        ("threads", ["thread", "workers", "runtime", "performance"]),
        ("log", ["logging", "logs", "logger"]),
    ]
}
