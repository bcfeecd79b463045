import Linux
package import OCI
import Upstream

/// A registry as people write it, with a path that stands in front of every name there.
///
/// `registry.example.org:5000`, `https://cache.example.org/releases`, `http://10.0.0.7:5000`.
/// Without a scheme it is HTTPS, but for this machine's own addresses.
package struct RegistryAddress: Hashable, Sendable, CustomStringConvertible {
    /// Scheme, host and port; for a Nexus also the path that it is installed under.
    package let base: String
    /// As it is shown and as files of logins name it: host, and the port if it is not the usual.
    package let host: String
    /// The first components of every name, without a slash at either end; may be empty.
    package let prefix: String
    package let isDockerHub: Bool

    package var description: String { prefix.isEmpty ? host : "\(host)/\(prefix)" }

    /// Nil if it is none.
    package init?(parsing text: some StringProtocol) {
        guard let (url, path) = Self.split(String(text)) else { return nil }
        let prefix = path.split(separator: "/").joined(separator: "/")
        guard prefix.isEmpty || RepositoryName(parsing: prefix) != nil else { return nil }
        self.init(url: url, prefix: prefix)
    }

    /// One whose path belongs to the address and not to the names, such as
    /// `https://example.org/nexus`; nil if it is none.
    package init?(application text: some StringProtocol) {
        guard let (url, path) = Self.split(String(text)),
            let whole = RemoteURL(parsing: url.origin.description + path), whole.query == nil
        else { return nil }
        let isRoot = whole.path.allSatisfy { $0 == "/" }
        let trimmed = whole.path.split(separator: "/").joined(separator: "/")
        self.init(
            base: isRoot ? url.origin.description : "\(url.origin)/\(trimmed)",
            host: Self.shown(url), prefix: "", isDockerHub: false)
    }

    /// The same registry below a path of its own, as a Nexus has one for each repository.
    func below(_ path: String) -> RegistryAddress {
        RegistryAddress(base: "\(base)/\(path)", host: host, prefix: "", isDockerHub: false)
    }

    /// The same registry with another path in front of the names; nil if that is no path.
    package func with(prefix part: String) -> RegistryAddress? {
        let whole = [prefix, part].filter { !$0.isEmpty }.joined(separator: "/")
        guard whole.isEmpty || RepositoryName(parsing: whole) != nil else { return nil }
        return RegistryAddress(base: base, host: host, prefix: whole, isDockerHub: isDockerHub)
    }

    /// An image's whole name here; nil if that would be too long.
    package func name(of image: RepositoryName) -> RepositoryName? {
        prefix.isEmpty ? image : RepositoryName(parsing: "\(prefix)/\(image)")
    }

    private init(base: String, host: String, prefix: String, isDockerHub: Bool) {
        self.base = base
        self.host = host
        self.prefix = prefix
        self.isDockerHub = isDockerHub
    }

    private init(url: RemoteURL, prefix: String) {
        let hub = ["docker.io", "index.docker.io", "registry-1.docker.io"]
        let isHub = url.scheme == .https && hub.contains(url.host) && url.port == 443
        self.init(
            base: isHub ? "https://registry-1.docker.io" : url.origin.description,
            host: isHub ? "docker.io" : Self.shown(url), prefix: prefix, isDockerHub: isHub)
    }

    private static func shown(_ url: RemoteURL) -> String {
        let text = url.origin.description
        return String(text.dropFirst(url.scheme.rawValue.count + 3))
    }

    /// The URL without its path, and the path.
    private static func split(_ text: String) -> (RemoteURL, String)? {
        let schemes = ["http://", "https://"]
        let scheme = schemes.first { text.lowercased().hasPrefix($0) }
        let rest = text.dropFirst(scheme?.count ?? 0)
        let host = rest.prefix { $0 != "/" }
        guard !host.isEmpty, !rest.contains("?"), !rest.contains("://"),
            let url = RemoteURL(parsing: "\(scheme ?? Self.scheme(of: host))\(host)")
        else { return nil }
        return (url, String(rest[host.endIndex...]))
    }

    private static func scheme(of host: Substring) -> String {
        guard let url = RemoteURL(parsing: "http://\(host)") else { return "https://" }
        return url.isOnThisMachine ? "http://" : "https://"
    }
}

extension RemoteURL {
    /// Whether the host is a loopback address by its very name.
    var isOnThisMachine: Bool {
        let bare = host.filter { $0 != "[" && $0 != "]" }
        return host == "localhost" || IPAddress(parsing: bare)?.isLoopback == true
    }
}
