/// Every metric family of the daemon, declared in one place and grouped by who counts.
///
/// Names and labels follow Prometheus' conventions and are part of what operators rely on. Label
/// values are configured names or closed sets, never anything from a request (RES-7).
package struct DaemonMetrics: Sendable {
    /// What the running program is.
    package struct Build: Sendable {
        let version: String
        let swift: String

        package init(version: String, swift: String) {
            self.version = version
            self.swift = swift
        }
    }

    package let metrics: Metrics
    package let http: HTTPMetrics
    package let content: ContentMetrics
    package let store: StoreMetrics
    package let upstream: UpstreamMetrics
    package let configuration: ConfigurationMetrics
    package let access: AccessMetrics
    let push: PushMetrics
    /// How late loops ran their timers.
    package let loopLag: BoundHistogram

    /// Declares all families; once per registry.
    package init(metrics: Metrics = Metrics(), build: Build, logger: Logger? = nil) {
        self.metrics = metrics
        let info = metrics.gauge(
            "cistern_build_info", help: "Version of the running daemon.",
            labels: ["version", "swift"])
        info.set(1, [build.version, build.swift])
        http = HTTPMetrics(metrics)
        content = ContentMetrics(metrics)
        store = StoreMetrics(metrics)
        upstream = UpstreamMetrics(metrics)
        configuration = ConfigurationMetrics(metrics)
        access = AccessMetrics(metrics)
        push = PushMetrics(metrics)
        loopLag = metrics.histogram(
            "cistern_event_loop_lag_seconds", help: "How late an event loop ran its timers.",
            buckets: MetricBuckets.lag
        ).bound()
        metrics.sampledCounter(
            "cistern_log_lines_dropped_total",
            help: "Log lines lost because standard error was read too slowly."
        ) { [Metrics.Sample(Double(logger?.droppedLines ?? 0))] }
        ProcessMetrics.declare(in: metrics)
    }

    /// What is counted for one configured repository, all of it shown as zero from now on.
    package func repository(_ name: String, isHosted: Bool = false) -> RepositoryMetrics {
        RepositoryMetrics(
            name: name, content: content, upstream: upstream,
            hosted: isHosted ? HostedMetrics(name: name, push) : nil)
    }
}

/// Bucket bounds of the histograms.
enum MetricBuckets {
    /// 1 ms to 300 s: whole requests, whose long tail is large blobs.
    static let duration = seconds([
        1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000,
    ])

    /// 0.5 ms to 10 s: the first byte, which does not depend on a body's size.
    static let firstByte =
        [.microseconds(500)]
        + seconds([1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000])

    /// 0.1 ms to 1 s: a loop that turns.
    static let lag =
        [.microseconds(100), .microseconds(500)] + seconds([1, 5, 10, 50, 100, 500, 1000])

    private static func seconds(_ milliseconds: [Int]) -> [Duration] {
        milliseconds.map { .milliseconds($0) }
    }
}
