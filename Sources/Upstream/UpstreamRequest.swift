package import OCI
package import Reactor

/// What is asked of an upstream: a resource of the distribution API, read by GET or HEAD.
package struct UpstreamRequest: Sendable {
    /// The daemon only reads from upstreams; the rest is for commands that push (`RegistryCall`).
    package enum Method: String, Sendable {
        case get = "GET"
        case head = "HEAD"
        case post = "POST"
        case put = "PUT"

        /// Whether it changes nothing, however often it is sent (RFC 9110 §9.2.1).
        var isSafe: Bool { self == .get || self == .head }
    }

    /// The resource, named by parsed values only: no text from a client reaches a URL (SSRF-4).
    package enum Resource: Sendable {
        case manifest(RepositoryName, Reference)
        case blob(RepositoryName, Digest)
        /// One page of tags: at most `limit`, those after `last`.
        case tags(RepositoryName, limit: Int?, last: String?)
        case referrers(RepositoryName, Digest, artifactType: String?)
        /// The following page: `UpstreamResponse.next` of the page before, unchanged.
        case next(RepositoryName, link: String)
    }

    package var method: Method
    package var resource: Resource
    /// The first byte wanted; above 0 it is asked by `Range: bytes=N-`.
    package var offset: Int64
    /// The entity tag that the bytes before `offset` came with, sent as `If-Range` (UP-4).
    package var ifRange: String?
    /// Whether there is an older answer to do with: such a pull is not sent while the upstream has
    /// few left (Docker Hub counts GETs of manifests).
    package var isDispensable = false
    /// Whether the body goes to one client at that client's pace and is not kept (RES-9).
    package var isPassThrough = false
    /// Whether it is worth a client's while to ask again after a failure (UP-8); not when there is
    /// an older answer to do with.
    package var mayBeRepeated = true
    /// How often the transfer that this one goes on with was interrupted: of several upstreams the
    /// next one is asked each time.
    package var resumption = 0
    /// When headers or an error are due at the latest; nil for the client's own bound (UP-2).
    package var deadline: Instant?

    package init(
        _ method: Method, _ resource: Resource, offset: Int64 = 0, ifRange: String? = nil
    ) {
        self.method = method
        self.resource = resource
        self.offset = offset
        self.ifRange = ifRange
    }
}

extension UpstreamRequest.Resource {
    /// The repository asked about, as the client named it.
    package var repository: RepositoryName {
        switch self {
        case .manifest(let name, _), .blob(let name, _), .tags(let name, _, _),
            .referrers(let name, _, _), .next(let name, _):
            name
        }
    }
}
