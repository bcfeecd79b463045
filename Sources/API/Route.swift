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
    /// The image name, perhaps with a repository as its first component; empty where there is none.
    package var name: Substring
    package var resource: Resource

    /// Reads a decoded path; nil when it is not below `/v2`.
    ///
    /// Decided from the right end, since `manifests`, `blobs` and `tags` are legal name components
    /// (protocol.md §1.1).
    package init?(path: String) {
        guard path.utf8.first == UInt8(ascii: "/") else { return nil }
        var (first, rest) = path[path.utf8.index(after: path.startIndex)...].cutAtFirstSlash()
        if first != "v2" {
            prefix = first
            guard let inner = rest?.cutAtFirstSlash(), inner.first == "v2" else { return nil }
            rest = inner.rest
        }
        guard let below = rest, !below.isEmpty else {
            (resource, name) = (.base, "")
            return
        }
        (resource, name) = Self.resource(of: below)
    }

    /// The path of the image itself, as the client named it.
    var base: String {
        let start = prefix.map { "/\($0)/v2" } ?? "/v2"
        return name.isEmpty ? start : "\(start)/\(name)"
    }

    private static func resource(of path: Substring) -> (Resource, Substring) {
        let (front, last) = path.cutAtLastSlash()
        guard let front else {
            switch last {
            case "_catalog": return (.catalog, "")
            case "_token": return (.token, "")
            default: return (.unknown, path)
            }
        }
        let (name, verb) = front.cutAtLastSlash()
        // The words are short enough to be compared as numbers.
        switch verb.utf8.count <= 15 ? String(verb) : "" {
        case "manifests": return (.manifest(last), name ?? "")
        case "blobs" where last == "uploads": return (.upload(nil), name ?? "")
        case "blobs": return (.blob(last), name ?? "")
        case "uploads":
            guard let (image, parent) = name?.cutAtLastSlash(), parent == "blobs" else {
                return (.unknown, path)
            }
            return (.upload(last.isEmpty ? nil : last), image ?? "")
        case "tags" where last == "list": return (.tags, name ?? "")
        case "referrers": return (.referrers(last), name ?? "")
        default: return (.unknown, path)
        }
    }
}

extension Substring {
    /// What stands before the first slash and behind it; nothing behind where there is none.
    func cutAtFirstSlash() -> (first: Substring, rest: Substring?) {
        guard let slash = offset(ofSlash: { $0.firstIndex(of: $1) }) else { return (self, nil) }
        return (self[..<slash], self[utf8.index(after: slash)...])
    }

    /// What stands before the last slash and behind it; nothing before where there is none.
    fileprivate func cutAtLastSlash() -> (rest: Substring?, last: Substring) {
        guard let slash = offset(ofSlash: { $0.lastIndex(of: $1) }) else { return (nil, self) }
        return (self[..<slash], self[utf8.index(after: slash)...])
    }

    private func offset(
        ofSlash find: (UnsafeBufferPointer<UInt8>, UInt8) -> Int?
    ) -> Index? {
        let slash = UInt8(ascii: "/")
        var text = self
        let found = text.withUTF8 { find($0, slash) }
        return found.map { utf8.index(startIndex, offsetBy: $0) }
    }
}
