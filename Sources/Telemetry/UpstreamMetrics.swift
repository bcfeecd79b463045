/// Requests to upstreams and what they say about themselves.
package struct UpstreamMetrics: Sendable {
    let requests: Counter
    let durations: Histogram
    let receivedBytes: Counter
    let errors: Counter
    let up: Gauge
    let rateLimit: Gauge
    let rateLimitRemaining: Gauge
    let blockedUntil: Gauge
    let fetches: Gauge
    let breaker: Gauge
    let retries: Counter
    let refused: Counter

    init(_ metrics: Metrics) {
        let repository = ["repository"]
        requests = metrics.counter(
            "cistern_upstream_requests_total", help: "Requests sent upstream.",
            labels: ["repository", "method", "code"])
        durations = metrics.histogram(
            "cistern_upstream_request_duration_seconds",
            help: "Time to an upstream response's headers.", labels: repository,
            buckets: MetricBuckets.duration)
        receivedBytes = metrics.counter(
            "cistern_upstream_received_bytes_total", help: "Body bytes fetched from upstream.",
            labels: repository)
        errors = metrics.counter(
            "cistern_upstream_errors_total", help: "Failed upstream requests by cause.",
            labels: ["repository", "reason"])
        up = metrics.gauge(
            "cistern_upstream_up",
            help: "Whether the upstream itself answered when last asked, other than 5xx.",
            labels: repository)
        rateLimit = metrics.gauge(
            "cistern_upstream_rate_limit_pulls",
            help: "Pulls the upstream allows in a window (ratelimit-limit).", labels: repository)
        rateLimitRemaining = metrics.gauge(
            "cistern_upstream_rate_limit_remaining_pulls",
            help: "Pulls left in the window (ratelimit-remaining).", labels: repository)
        blockedUntil = metrics.gauge(
            "cistern_upstream_blocked_until_timestamp_seconds",
            help: "When a Retry-After ends, 0 if none.", labels: repository)
        fetches = metrics.gauge(
            "cistern_fetches_in_flight", help: "Fetches from upstream now.", labels: repository)
        let site = ["repository", "upstream"]
        breaker = metrics.gauge(
            "cistern_upstream_breaker_state",
            help: "Whether the upstream is asked: 0 yes, 1 by one probe, 2 not for now.",
            labels: site)
        retries = metrics.counter(
            "cistern_upstream_retries_total",
            help: "Requests sent upstream once more after a failure.", labels: site)
        refused = metrics.counter(
            "cistern_upstream_refused_total",
            help: "Requests not sent upstream, since its breaker was open.", labels: site)
    }
}
