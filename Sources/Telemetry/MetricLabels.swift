/// What the cache did for a request for content.
///
/// These words stand in the access line and in the label `cache`; they are a closed set (RES-7).
package enum CacheResult: String, CaseIterable, Sendable {
    /// Served from disk without asking anyone.
    case hit
    /// Fetched from upstream for this request.
    case miss
    /// The upstream confirmed that the stored copy is current.
    case revalidated
    /// The upstream failed and the stored copy was served.
    case stale
    /// Joined a fetch that another request had started.
    case coalesced
    /// Known to be absent, without asking again.
    case negative
    /// Streamed through and not kept.
    case bypass
}

/// Which kind of content a request asked for.
package enum ContentKind: String, CaseIterable, Sendable {
    case manifest
    case blob
    case tagList = "tag_list"
    case referrers
}

/// Which part of the interface a request met.
package enum RouteLabel: String, CaseIterable, Sendable {
    /// `/v2/` itself.
    case base
    case manifest
    case blob
    case tagList = "tag_list"
    case referrers
    /// Uploads under way, and mounts.
    case upload
    /// `/v2/_token`.
    case token
    /// `/healthz`, `/readyz` and `/metrics` of the admin address.
    case admin
    case other
}

/// Request methods by which requests are counted.
package enum MethodLabel: String, CaseIterable, Sendable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case patch = "PATCH"
    case put = "PUT"
    case delete = "DELETE"
    case other

    /// The label of a request's method.
    package init(method: String) {
        self = MethodLabel(rawValue: method) ?? .other
    }
}

/// Where the bytes of a response came from.
package enum ByteSource: String, CaseIterable, Sendable {
    case cache
    case upstream
}

/// Why a connection was not served, for `cistern_connections_rejected_total`.
package enum RejectionReason: String, CaseIterable, Sendable {
    /// All connections are in use and none is idle; accepting pauses (RES-6).
    case connections
    /// The peer's address has its share already (RES-6).
    case address = "per_ip"
    /// Too few descriptors are left.
    case descriptors
    /// A TLS hello on a plain port, answered by 400 in HTTP (clients.md 1).
    case tlsHello = "tls_hello"
    /// Plain HTTP on a TLS port, answered by 400.
    case plainHTTP = "plain_http"
    /// The client and we could not agree, or it broke the handshake off.
    case tlsHandshake = "tls_handshake"
    /// The first request's head did not come in time (RES-5).
    case headerTimeout = "timeout"
}

/// Why blobs were evicted.
package enum EvictionReason: String, CaseIterable, Sendable {
    /// The store had reached its limit, its own or the one that the file system's free space sets.
    case size
}

/// What re-hashing a stored or received blob found.
package enum VerificationResult: String, CaseIterable, Sendable {
    case ok
    case corrupt
}

/// How a stored file was found not to be what was stored.
package enum DamageCause: String, CaseIterable, Sendable {
    /// Its bytes hash to something else.
    case content
    case missing
    case size
    /// It cannot be opened or read.
    case unreadable
}

/// Why an upstream request failed.
package enum UpstreamErrorReason: String, CaseIterable, Sendable {
    case dns
    case connect
    case tls
    case timeout
    case auth
    case rateLimited = "rate_limited"
    case serverError = "http_5xx"
    case digestMismatch = "digest_mismatch"
    case truncated
    case reset
    /// An address, redirect or realm that may not be used.
    case refused
    case badResponse = "bad_response"
    case tooLarge = "too_large"
    case other
}
