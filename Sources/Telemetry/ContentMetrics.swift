/// What the cache did for requests for content.
package struct ContentMetrics: Sendable {
    let responseBytes: Counter
    let requests: Counter

    init(_ metrics: Metrics) {
        responseBytes = metrics.counter(
            "cistern_http_response_bytes_total",
            help: "Body bytes sent to clients, by where they came from.",
            labels: ["repository", "source"])
        requests = metrics.counter(
            "cistern_cache_requests_total",
            help: "Manifest, tag and blob requests by what the cache did.",
            labels: ["repository", "kind", "cache"])
    }
}
