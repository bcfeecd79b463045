/// Requests and connections of clients.
package struct HTTPMetrics: Sendable {
    /// Statuses that are counted by their own number; any other one counts as `other`.
    private static let statuses = [
        200, 201, 202, 204, 206, 301, 302, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 412,
        413, 414, 416, 417,
        421, 426, 429, 431, 500, 501, 502, 503, 504, 505, 507,
    ]

    private let metrics: Metrics
    /// Requests by route, method and status: flat, in that order, so that counting hashes nothing.
    private let requests: [BoundCounter]
    private let durations: [BoundHistogram]
    /// First-byte times by route and cache result, flat.
    private let firstBytes: [BoundHistogram]
    private let inFlight: [BoundGauge]
    private let rejected: [RejectionReason: BoundCounter]

    init(_ metrics: Metrics) {
        self.metrics = metrics
        requests = HTTPMetrics.declareRequests(metrics)
        let durations = metrics.histogram(
            "cistern_http_request_duration_seconds",
            help: "Time from the request's first byte to the response's last.",
            labels: ["route"], buckets: MetricBuckets.duration)
        self.durations = RouteLabel.allCases.map { durations.bound([$0.rawValue]) }
        let firstBytes = metrics.histogram(
            "cistern_http_first_byte_seconds",
            help: "Time from the request's last byte to the response's first, by cache result.",
            labels: ["route", "cache"], buckets: MetricBuckets.firstByte)
        self.firstBytes = RouteLabel.content.flatMap { route in
            CacheResult.allCases.map { firstBytes.bound([route.rawValue, $0.rawValue]) }
        }
        let inFlight = metrics.gauge(
            "cistern_http_requests_in_flight", help: "Requests being answered now.",
            labels: ["route"])
        self.inFlight = RouteLabel.allCases.map { inFlight.bound([$0.rawValue]) }
        let rejected = metrics.counter(
            "cistern_connections_rejected_total",
            help: "Connections or requests refused by a limit.", labels: ["reason"])
        self.rejected = boundByCase { rejected.bound([$0]) }
    }

    private static func declareRequests(_ metrics: Metrics) -> [BoundCounter] {
        let codes = statuses.map { String($0) } + ["other"]
        let keys = RouteLabel.allCases.flatMap { route in
            MethodLabel.allCases.flatMap { method in
                codes.map { [route.rawValue, method.rawValue, $0] }
            }
        }
        let counters = keys.map { _ in BoundCounter() }
        metrics.sampledCounter(
            "cistern_http_requests_total", help: "Requests answered, by route and status code.",
            labels: ["route", "method", "code"]
        ) {
            zip(keys, counters).compactMap { labels, counter in
                let isRead = labels[1] == "GET" || labels[1] == "HEAD"
                let isExpected = isRead && labels[2] == "200"
                guard counter.value > 0 || isExpected else { return nil }
                return Metrics.Sample(Double(counter.value), labels: labels)
            }
        }
        return counters
    }

    /// Counts a request as being answered; `finished` must follow.
    package func began(_ route: RouteLabel) {
        inFlight[route.index].add()
    }

    /// Counts a request that was answered, or whose answer was cut.
    package func finished(
        _ route: RouteLabel, method: MethodLabel, status: Int, duration: Duration,
        firstByte: Duration?, cache: CacheResult?
    ) {
        inFlight[route.index].subtract()
        let codes = HTTPMetrics.statuses.count + 1
        let code = HTTPMetrics.statuses.firstIndex(of: status) ?? codes - 1
        requests[(route.index * MethodLabel.allCases.count + method.index) * codes + code].add()
        durations[route.index].observe(duration)
        if let firstByte, let cache, let row = RouteLabel.content.firstIndex(of: route) {
            firstBytes[row * CacheResult.allCases.count + cache.index].observe(firstByte)
        }
    }

    /// Shows how many connections are open on each listener, asked for at each scrape.
    package func showConnections(
        _ open: @escaping @Sendable () -> [(listener: String, count: Int)]
    ) {
        metrics.sampledGauge(
            "cistern_connections", help: "Open client connections.", labels: ["listener"]
        ) {
            open().map { Metrics.Sample(Double($0.count), labels: [$0.listener]) }
        }
    }

    /// Counts a connection or request that a limit refused.
    package func rejected(_ reason: RejectionReason) {
        rejected[reason]?.add()
    }
}

extension RouteLabel {
    /// The routes whose answers come from the cache.
    fileprivate static let content: [RouteLabel] = [.manifest, .blob, .tagList, .referrers]
}
