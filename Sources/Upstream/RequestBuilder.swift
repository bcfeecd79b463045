import HTTP
import OCI

/// Turns a request into a URL and header lines.
///
/// A pure value.
struct RequestBuilder {
    let settings: UpstreamSettings

    /// The repository's name at the upstream: Docker Hub's official images are in `library/`.
    func name(of repository: RepositoryName) -> String {
        settings.implicitLibrary && repository.components.count == 1
            ? "library/\(repository.text)" : repository.text
    }

    func url(for resource: UpstreamRequest.Resource) throws(UpstreamError) -> RemoteURL {
        let name = name(of: resource.repository)
        let target =
            switch resource {
            case .manifest(_, let reference): "\(name)/manifests/\(reference)"
            case .blob(_, let digest): "\(name)/blobs/\(digest)"
            case .tags(_, let limit, let last):
                "\(name)/tags/list" + query([("n", limit.map { String($0) }), ("last", last)])
            case .referrers(_, let digest, let type):
                "\(name)/referrers/\(digest)" + query([("artifactType", type)])
            case .next(_, let link): link
            }
        if case .next = resource { return try ownURL(target) }
        guard let url = RemoteURL(parsing: root + target) else {
            throw .badResponse("the URL of \(settings.registry) cannot be built")
        }
        return url
    }

    /// A path below the registry's address.
    func url(path: String) throws(UpstreamError) -> RemoteURL {
        guard let url = RemoteURL(parsing: address + path) else {
            throw .badResponse("the URL of \(settings.registry) cannot be built")
        }
        return url
    }

    private var address: String {
        let path = settings.base.path
        return "\(settings.base.origin)\(path.hasSuffix("/") ? path : path + "/")"
    }

    /// Everything of the distribution API is below this.
    private var root: String { address + "v2/" }

    private func query(_ items: [(name: String, value: String?)]) -> String {
        let parts = items.compactMap { item in
            item.value.map { "\(item.name)=\(PercentEncoding.encode($0))" }
        }
        return parts.isEmpty ? "" : "?" + parts.joined(separator: "&")
    }

    /// A link back to this very upstream's API, or an error: nothing else is asked (SSRF-1).
    private func ownURL(_ link: String) throws(UpstreamError) -> RemoteURL {
        guard let url = RemoteURL(resolving: link, against: settings.base), isOwn(url) else {
            throw .badResponse("Link leads elsewhere")
        }
        return url
    }

    private func isOwn(_ url: RemoteURL) -> Bool {
        url.text.hasPrefix(root) && !url.path.split(separator: "/").contains("..")
    }

    /// The next page a response names, as path and query on this upstream; nil if elsewhere.
    func next(in links: [String]?, of page: RemoteURL) -> String? {
        for value in links ?? [] {
            guard let target = LinkHeader.next(in: value),
                let url = RemoteURL(resolving: target, against: page), isOwn(url)
            else { continue }
            return url.path + (url.query.map { "?\($0)" } ?? "")
        }
        return nil
    }

    /// All header lines but the credential's.
    func fields(for request: UpstreamRequest) -> [String] {
        let accepted =
            switch request.resource {
            case .manifest: MediaType.accepted
            case .blob: "*/*"
            case .tags: "\(MediaType.json), */*"
            case .referrers, .next: "\(MediaType.ociIndex), \(MediaType.json), */*"
            }
        var lines = ["Accept: \(accepted)", "Accept-Encoding: identity"]
        if request.offset > 0 {
            lines.append("Range: bytes=\(request.offset)-")
            if let tag = request.ifRange, Self.isFieldValue(tag) {
                lines.append("If-Range: \(tag)")
            }
        }
        return lines
    }

    private static func isFieldValue(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
    }
}
