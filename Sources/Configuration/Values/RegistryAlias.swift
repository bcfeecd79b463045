/// The names registries go by, brought to the one that people write.
package enum RegistryAlias {
    /// Docker Hub's other names; `ns` and path prefixes may hold any of them.
    package static let dockerHubNames: Set<String> = [
        "docker.io", "index.docker.io", "registry-1.docker.io",
    ]

    /// The registry's one name: lower case, default port dropped, Docker Hub's aliases folded.
    ///
    /// Nil when the text is no host name or address, with or without port.
    package static func normalised(_ text: some StringProtocol) -> String? {
        guard let parsed = HostAndPort(parsing: text), parsed.port != 0 else { return nil }
        if dockerHubNames.contains(parsed.host), parsed.port == nil || parsed.port == 443 {
            return "docker.io"
        }
        guard let port = parsed.port, port != 443 else { return parsed.host }
        return "\(parsed.host):\(port)"
    }

    /// Whether a repository's name is meant as its registry's name too.
    static func looksLikeHost(_ name: String) -> Bool {
        (name.contains(".") || name.contains(":") || name == "localhost")
            && normalised(name) != nil
    }

    /// Where a registry is reached when nothing else is configured.
    static func usualUpstream(of registry: String) -> String {
        registry == "docker.io" ? "https://registry-1.docker.io" : "https://\(registry)"
    }

    /// Token realms on another origin than the registry's, known to belong to it (CRED-1).
    static func builtInRealms(ofUpstreamHost host: String) -> [String] {
        switch host {
        case "registry-1.docker.io": ["https://auth.docker.io/token"]
        case "quay.io": ["https://quay.io/v2/auth"]
        default: []
        }
    }
}
