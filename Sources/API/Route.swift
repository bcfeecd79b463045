import OCI

/// What a path below `/v2/` asks for, before its repository is known.
package struct Route {
    /// What is asked for under the name.
    package enum Resource {
        case base
        case manifest(Substring)
        case blob(Substring)
        case tags
        case referrers(Substring)
        /// Beginning an upload, or with its name the upload itself.
        case upload(Substring?)
        case catalog
        /// Where tokens come from (`TokenEndpoint`).
        case token
        case unknown
    }

    /// The component before `/v2/`: a repository's name, if there is one.
    package var prefix: Substring?
    /// The image name's components.
    package var components: ArraySlice<Substring>
    package var resource: Resource

    /// Reads a decoded path; nil when it is not below `/v2`.
    ///
    /// Decided from the right end, since `manifests`, `blobs` and `tags` are legal name components
    /// (protocol.md §1.1).
    package init?(path: String) {
        var parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        if parts.first != "v2" {
            guard parts.dropFirst().first == "v2" else { return nil }
            prefix = parts.removeFirst()
        }
        parts.removeFirst()
        components = []
        if parts.isEmpty || (parts.count == 1 && parts.first == "") {
            resource = .base
            return
        }
        (resource, components) = Self.resource(of: parts)
    }

    /// The path of the image itself, as the client named it.
    var base: String {
        let start = prefix.map { "/\($0)/v2" } ?? "/v2"
        return components.isEmpty ? start : "\(start)/\(components.joined(separator: "/"))"
    }

    private static func resource(
        of parts: ArraySlice<Substring>
    ) -> (Resource, ArraySlice<Substring>) {
        guard let last = parts.last else { return (.unknown, []) }
        let verb = parts.dropLast().last
        let name = parts.dropLast(2)
        if parts.count == 1, last == "_catalog" { return (.catalog, []) }
        if parts.count == 1, last == "_token" { return (.token, []) }
        if parts.count >= 3, verb == "uploads", name.last == "blobs" {
            return (.upload(last.isEmpty ? nil : last), name.dropLast())
        }
        switch verb {
        case "manifests": return (.manifest(last), name)
        case "blobs" where last == "uploads": return (.upload(nil), name)
        case "blobs": return (.blob(last), name)
        case "tags" where last == "list": return (.tags, name)
        case "referrers": return (.referrers(last), name)
        default: return (.unknown, parts)
        }
    }
}
