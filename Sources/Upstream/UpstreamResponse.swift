package import OCI

/// The upstream's final answer; redirects and challenges are behind us.
package struct UpstreamResponse: Sendable {
    /// What a 206 says it holds: both ends inclusive.
    package struct ContentRange: Equatable, Sendable {
        package var first: Int64
        package var last: Int64
        /// The whole representation's size, nil for `*`.
        package var total: Int64?

        package init(first: Int64, last: Int64, total: Int64?) {
            self.first = first
            self.last = last
            self.total = total
        }
    }

    /// 200, 206, 404, 401, 403, 429, 5xx …; never a 3xx, never a 1xx.
    package var status: Int
    /// `Content-Type` as it stands, parameters included.
    package var contentType: String?
    /// `Content-Length`; nil for a chunked or close-delimited body.
    package var contentLength: Int64?
    /// Present if and only if the status is 206; its first byte is then the offset asked for.
    package var contentRange: ContentRange?
    /// The digest the upstream claims, if it parses: never trusted, only compared.
    package var digest: Digest?
    /// `ETag` as it stands, quotes included.
    package var etag: String?
    /// The following page, ready for `UpstreamRequest.Resource.next`.
    ///
    /// Path and query on the upstream itself; nil when the `Link` led elsewhere (SSRF-1).
    package var next: String?
    /// `Retry-After`, as a duration from now; not clamped.
    package var retryAfter: Duration?
    /// What the registry said about pulls left.
    package var rateLimit: RateLimit?
    /// `Cache-Status` of a parent cache, as it stands (RFC 9211).
    package var cacheStatus: String?
    /// `Location` and `OCI-Subject` as they stand, of the answer to a push.
    package var location: String?
    package var subject: String?
    /// Whether the status is that of another host, to which the upstream redirected.
    package var isFromElsewhere = false
    package var body: any UpstreamBody

    package init(
        status: Int, contentType: String? = nil, contentLength: Int64? = nil,
        contentRange: ContentRange? = nil, digest: Digest? = nil, etag: String? = nil,
        next: String? = nil, retryAfter: Duration? = nil, rateLimit: RateLimit? = nil,
        cacheStatus: String? = nil, body: any UpstreamBody = EmptyBody()
    ) {
        self.status = status
        self.contentType = contentType
        self.contentLength = contentLength
        self.contentRange = contentRange
        self.digest = digest
        self.etag = etag
        self.next = next
        self.retryAfter = retryAfter
        self.rateLimit = rateLimit
        self.cacheStatus = cacheStatus
        self.body = body
    }
}

/// Docker Hub's `ratelimit-limit: 100;w=21600` and `ratelimit-remaining: 76;w=21600`.
package struct RateLimit: Equatable, Sendable {
    /// Pulls allowed in the window.
    package var limit: Int?
    /// Pulls left in the window.
    package var remaining: Int?
    /// Length of the window in seconds.
    package var windowSeconds: Int?

    package init(limit: Int?, remaining: Int?, windowSeconds: Int?) {
        self.limit = limit
        self.remaining = remaining
        self.windowSeconds = windowSeconds
    }
}
