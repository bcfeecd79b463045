package import OCI

/// An image as people write it: `registry.example.org:5000/team/app:1.4`, `…@sha256:…`.
///
/// What has no host in front is Docker Hub's, and there a name of one component is in `library/`,
/// as Docker reads it. `http://` in front says plain HTTP; `docker://`, as skopeo writes it, says
/// nothing.
package struct ImageReference: Hashable, Sendable, CustomStringConvertible {
    package let registry: RegistryAddress
    package let name: RepositoryName
    /// The tag or digest that is written, if one is.
    package let reference: Reference?

    package var description: String {
        let mark =
            switch reference {
            case nil: ""
            case .tag(let tag): ":\(tag)"
            case .digest(let digest): "@\(digest)"
            }
        return "\(registry)/\(name)\(mark)"
    }

    /// Nil if it is none.
    package init?(parsing text: some StringProtocol) {
        var rest = Substring(text)
        if rest.hasPrefix("docker://") { rest = rest.dropFirst(9) }
        var scheme = ""
        for candidate in ["http://", "https://"] where rest.hasPrefix(candidate) {
            scheme = candidate
            rest = rest.dropFirst(candidate.count)
        }
        var host = rest.prefix { $0 != "/" }
        let isHost =
            host.endIndex != rest.endIndex
            && (host.contains(".") || host.contains(":") || host == "localhost" || scheme != "")
        if isHost {
            rest = rest[rest.index(after: host.endIndex)...]
        } else {
            host = "docker.io"
        }
        guard isHost || scheme.isEmpty, let registry = RegistryAddress(parsing: scheme + host),
            let (name, reference) = Self.image(rest)
        else { return nil }
        let isOfficial = registry.isDockerHub && name.components.count == 1
        guard let name = isOfficial ? RepositoryName(parsing: "library/\(name)") : name else {
            return nil
        }
        self.registry = registry
        self.name = name
        self.reference = reference
    }

    /// The name, and what stands behind it: a tag, a digest, or both, of which the digest counts.
    private static func image(_ text: Substring) -> (RepositoryName, Reference?)? {
        var rest = text
        var reference: Reference?
        if let at = rest.firstIndex(of: "@") {
            guard let digest = Digest(parsing: rest[rest.index(after: at)...]) else { return nil }
            reference = .digest(digest)
            rest = rest[..<at]
        }
        if let colon = rest.lastIndex(of: ":") {
            guard let tag = Tag(parsing: rest[rest.index(after: colon)...]) else { return nil }
            reference = reference ?? .tag(tag)
            rest = rest[..<colon]
        }
        guard let name = RepositoryName(parsing: rest) else { return nil }
        return (name, reference)
    }
}
