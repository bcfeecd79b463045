/// What is counted for one configured repository, bound once so that counting is an addition.
package final class RepositoryMetrics: Sendable {
    /// The configured name of the repository.
    package let name: String
    /// Body bytes received from upstream.
    package let receivedBytes: BoundCounter
    /// Time to an upstream response's headers.
    package let upstreamDuration: BoundHistogram
    /// Fetches that run.
    package let fetchesInFlight: BoundGauge
    /// 1 when the upstream answered last, 0 when it did not; not shown before it was first asked.
    package let upstreamUp: BoundGauge
    /// Pulls allowed in a window; not shown unless the upstream says.
    package let rateLimit: BoundGauge
    /// Pulls left in the window; not shown unless the upstream says.
    package let rateLimitRemaining: BoundGauge
    /// Seconds since 1970 at which the upstream's Retry-After ends, or 0.
    package let blockedUntil: BoundGauge
    private let responseBytes: [ByteSource: BoundCounter]
    /// By kind and cache result, flat.
    private let requests: [BoundCounter]
    private let errors: [UpstreamErrorReason: BoundCounter]
    private let upstreamRequests: Counter
    let families: UpstreamMetrics
    /// What is pushed; nil for what takes no pushes.
    package let hosted: HostedMetrics?

    init(
        name: String, content: ContentMetrics, upstream: UpstreamMetrics, hosted: HostedMetrics?
    ) {
        self.name = name
        self.hosted = hosted
        receivedBytes = upstream.receivedBytes.bound([name])
        upstreamDuration = upstream.durations.bound([name])
        fetchesInFlight = upstream.fetches.bound([name])
        upstreamUp = upstream.up.boundUnset([name])
        rateLimit = upstream.rateLimit.boundUnset([name])
        rateLimitRemaining = upstream.rateLimitRemaining.boundUnset([name])
        blockedUntil = upstream.blockedUntil.bound([name])
        responseBytes = boundByCase { content.responseBytes.bound([name, $0]) }
        requests = ContentKind.allCases.flatMap { kind in
            CacheResult.allCases.map {
                content.requests.bound([name, kind.rawValue, $0.rawValue])
            }
        }
        errors = boundByCase { upstream.errors.bound([name, $0]) }
        upstreamRequests = upstream.requests
        families = upstream
        for method in ["GET", "HEAD"] { _ = upstream.requests.bound([name, method, "200"]) }
    }

    /// Counts a request for content by what the cache did.
    package func requested(_ kind: ContentKind, _ result: CacheResult) {
        requests[kind.index * CacheResult.allCases.count + result.index].add()
    }

    /// Counts body bytes that went to a client.
    package func sent(_ bytes: Int64, from source: ByteSource) {
        responseBytes[source]?.add(Int(bytes))
    }

    /// Counts an upstream's answer.
    ///
    /// - Parameters:
    ///   - method: What was asked.
    ///   - status: The answer's status; one outside 100 to 599 counts as `other`.
    ///   - duration: From asking to the headers.
    package func upstreamAnswered(_ method: MethodLabel, status: Int, after duration: Duration) {
        let code = (100...599).contains(status) ? String(status) : "other"
        upstreamRequests.add(1, [name, method.rawValue, code])
        upstreamDuration.observe(duration)
    }

    /// Counts an upstream request that failed.
    package func upstreamFailed(_ reason: UpstreamErrorReason) {
        errors[reason]?.add()
    }

    /// Counts a failure by its label; an unknown label counts as `other` (RES-7).
    package func upstreamFailed(label: String) {
        upstreamFailed(UpstreamErrorReason(rawValue: label) ?? .other)
    }
}
