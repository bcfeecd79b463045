package import Linux
package import OCI

/// `type = "proxy"`: another registry, fetched once and kept.
package struct ProxyConfiguration: Sendable, Equatable {
    /// Whose login is used at the upstream.
    package enum Authentication: String, Sendable, CaseIterable {
        /// The one in the configuration, or none.
        case configured
        /// The client's own, which shows it what it may see and nothing more (AUTH-3).
        case passthrough
    }

    /// The name people write in image names, normalised: lower case, no default port, no alias.
    package var registry: String
    /// Where the registry is reached, in the order of asking; never empty.
    ///
    /// Caches and mirrors come first, the registry itself, whose word counts, last.
    package var upstreams: [Upstream]
    /// True never to ask any of them.
    package var offline: Bool
    package var authentication = Authentication.configured
    /// Networks that redirects, realms and CDNs may be on besides public addresses (SSRF-3).
    package var allowNetworks: [Network]
    /// Certificate authorities for this upstream besides the system's; absolute.
    package var caFile: String?
    /// True to verify neither certificate nor name; warned about at each start (TLS-1).
    package var insecure: Bool
    /// How long a tag is believed before the upstream is asked again.
    package var tagTTL: Duration
    /// How long "this tag does not exist" is believed (UP-5).
    package var missingTTL: Duration
    /// How old a tag may be that is served when the upstream fails (UP-6).
    package var stale: Duration
    /// Bound on resolving the name and connecting (UP-2).
    package var connectTimeout: Duration
    /// Bound on the TLS handshake (UP-2).
    package var tlsTimeout: Duration
    /// Bound on the wait for the first byte of an answer (UP-2).
    package var firstByteTimeout: Duration
    /// Bound on a quiet stretch inside a body (UP-2).
    package var stallTimeout: Duration
    /// Image names that are asked for at all, and of those the ones that are not (AUTH-10).
    package var allow: [NamePattern]
    package var deny: [NamePattern]
    /// How often an interrupted blob is continued (UP-4).
    package var retries: Int
    /// True when what the credentials open may be pulled by anyone who reaches a listener (AUTH-8).
    package var sharePrivate: Bool
}

extension ProxyConfiguration {
    /// One place where the registry is reached.
    package struct Upstream: Sendable, Equatable {
        package var url: UpstreamURL
        /// The login there and at its realms, and nowhere else (CRED-1); nil to pull anonymously.
        package var credentials: Credentials?
        /// Token realms trusted besides its own origin, the built-in ones included.
        package var realms: [UpstreamURL]
    }

    /// Whether some of what it holds may be open to a login only.
    package var hasLogin: Bool { upstreams.contains { $0.credentials != nil } }
}

/// A login at an upstream.
package struct Credentials: Sendable, Equatable {
    /// Opaque to Cistern; holds no colon, since Basic could not carry it.
    package var username: String
    /// The password's bytes as they were read when the configuration was loaded.
    package var password: Secret
    /// Where the password came from, for messages.
    package var source: SecretSource
}
