/// Whether the configuration in force is the one on disk.
package struct ConfigurationMetrics: Sendable {
    private let isLastReloadSuccessful: BoundGauge
    private let takenAt: BoundGauge

    init(_ metrics: Metrics) {
        isLastReloadSuccessful = metrics.gauge(
            "cistern_config_last_reload_successful", help: "Whether the last reload was taken."
        ).boundUnset()
        takenAt = metrics.gauge(
            "cistern_config_last_reload_success_timestamp_seconds",
            help: "When the configuration in force was taken."
        ).boundUnset()
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
