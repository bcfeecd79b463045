/// Whether the configuration in force is the one on disk.
package struct ConfigurationMetrics: Sendable {
    private let isLastReloadSuccessful: BoundGauge
    private let takenAt: BoundGauge
    private let certificateEnd: Gauge

    init(_ metrics: Metrics) {
        isLastReloadSuccessful = metrics.gauge(
            "cistern_config_last_reload_successful", help: "Whether the last reload was taken."
        ).boundUnset()
        takenAt = metrics.gauge(
            "cistern_config_last_reload_success_timestamp_seconds",
            help: "When the configuration in force was taken."
        ).boundUnset()
        certificateEnd = metrics.gauge(
            "cistern_tls_certificate_not_after_timestamp_seconds",
            help: "When the time of a listener's certificate is over.", labels: ["name"])
    }

    /// Records when each certificate's time is over; others are shown no more.
    package func certificatesEnd(_ ends: [String: Int64]) {
        for name in certificateEnd.names where ends[name] == nil { certificateEnd.remove([name]) }
        for (name, end) in ends { certificateEnd.set(Int(end), [name]) }
    }

    /// Records that a configuration was taken, at start or by a reload.
    package func taken(wallSeconds: Int64) {
        isLastReloadSuccessful.set(1)
        takenAt.set(Int(wallSeconds))
    }

    /// Records that a reload was refused and the old configuration stays.
    package func refused() {
        isLastReloadSuccessful.set(0)
    }
}
