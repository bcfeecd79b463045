/// A configuration file for a daemon under test, made from parts.
package struct DaemonConfiguration: Sendable {
    /// Listeners as lines of TOML, each on a free port unless it says an address.
    package var listeners: [String] = [""]
    /// Lines in `[cache]` besides the path.
    package var cache = ""
    /// Whole tables: repositories, limits, anything else.
    package var tables: [String] = []

    package init(_ tables: [String] = [], cache: String = "", listeners: [String] = [""]) {
        self.tables = tables
        self.cache = cache
        self.listeners = listeners
    }

    /// A daemon that proxies one scripted upstream under a registry's name.
    package init(
        _ upstream: LoopbackRegistry, as registry: String = "docker.io", extra: String = "",
        cache: String = "", listener: String = ""
    ) {
        self.init(
            [DaemonConfiguration.proxy(registry, upstream, extra)], cache: cache,
            listeners: [listener])
    }

    /// The TOML of a proxy repository that is named like its registry.
    package static func proxy(
        _ registry: String, _ upstream: LoopbackRegistry, _ extra: String = "",
        name: String? = nil
    ) -> String {
        """
        [repositories."\(name ?? registry)"]
        type = "proxy"
        registry = "\(registry)"
        upstream = "\(upstream.url)"
        realms = ["\(upstream.realm)"]
        allow_networks = ["127.0.0.0/8"]
        \(extra)
        """
    }

    /// The whole file.
    package func text(store: String) -> String {
        var parts = ["[cache]\npath = \"\(store)\"\n\(cache)"]
        for listener in listeners {
            let place = listener.hasPrefix("address") ? "" : "address = \"127.0.0.1:0\"\n"
            parts.append("[[listener]]\n\(place)\(listener)")
        }
        parts.append("[admin]\naddress = \"127.0.0.1:0\"")
        parts.append("[log]\nlevel = \"debug\"\nformat = \"logfmt\"")
        return (parts + tables).joined(separator: "\n\n") + "\n"
    }
}
