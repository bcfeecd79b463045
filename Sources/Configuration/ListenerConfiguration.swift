import Linux

/// `[[listener]]`: one address where clients connect, and how their requests find a repository.
package struct ListenerConfiguration: Sendable, Equatable {
    /// A way for a request to name its repository.
    package enum Route: String, Sendable, CaseIterable {
        /// containerd's `?ns=docker.io`: the proxy of that registry.
        case ns
        /// `/v2/docker.io/…`, `/v2/<repository>/…` and `/<repository>/v2/…`.
        case path
        /// Anything else goes to the listener's own repository.
        case root
    }

    /// Where it listens.
    package var address: ListenAddress
    /// The ways to find a repository, tried in this order.
    package var route: [Route]
    /// The repository that `root` means; set whenever `route` contains `root`.
    package var repository: String?
    /// The `Host` names written in the file; nil when none were, `["*"]` for any.
    package var hostnames: [String]?
    /// The names of its certificates, the usual one first; empty for plain HTTP.
    package var tls: [String] = []

    /// The only `Host` names this listener answers to, without port; nil for any (HTTP-6).
    ///
    /// Whether a socket handed over by systemd is bound to loopback is known only when it is there,
    /// hence the parameter. The default on loopback keeps browsers out (DNS rebinding); with TLS
    /// the certificate does.
    package func acceptedHostnames(boundToLoopback: Bool) -> [String]? {
        if let hostnames { return hostnames.contains("*") ? nil : hostnames }
        guard boundToLoopback, tls.isEmpty else { return nil }
        var names = ["localhost", "127.0.0.1", "[::1]"]
        if case .tcp(let host, _) = address, !names.contains(host.authorityText) {
            names.append(host.authorityText)
        }
        return names
    }
}
