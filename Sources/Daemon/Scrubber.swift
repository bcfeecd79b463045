import Index
import OCI
import Reactor
import Registry
import Store
import Telemetry

/// Reads every stored file again from time to time, the one first whose turn is longest ago.
///
/// One at a time and slowly, slower still while clients are served, so that it is not felt. Where
/// it was is in the index, so that a restart does not begin anew.
actor Scrubber {
    /// How often it is looked whether anything is due.
    private static let interval = Duration.seconds(60)
    /// How many digests are asked for at a time.
    private static let batch = 64

    private let content: Content
    private let metrics: DaemonMetrics
    private var every: Duration
    private var rate: Int64

    init(_ content: Content, _ metrics: DaemonMetrics, every: Duration, rate: Int64) {
        self.content = content
        self.metrics = metrics
        self.every = every
        self.rate = rate
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        content.loop.asUnownedSerialExecutor()
    }

    /// Takes a new configuration into force.
    func set(every: Duration, rate: Int64) {
        (self.every, self.rate) = (every, rate)
    }

    /// Scrubs for as long as `goesOn`.
    func run(while goesOn: @Sendable () async -> Bool) async {
        while await goesOn() {
            if await !round(while: goesOn) {
                await content.loop.sleep(for: min(Self.interval, every))
            }
        }
    }

    /// Verifies the next few that are due; false if there are none.
    private func round(while goesOn: @Sendable () async -> Bool) async -> Bool {
        guard every < .seconds(Int64(50 * 365) * 86_400) else { return false }
        let due = content.loop.clock.wallSeconds - every.components.seconds
        let digests = (try? content.store.index.leastVerified(before: due, limit: Self.batch)) ?? []
        var didAny = false
        for digest in digests {
            guard await goesOn() else { return false }
            let size = ((try? content.store.index.blob(digest)) ?? nil)?.size ?? 0
            let result = await content.scrub(digest, rate: rate, yields: true)
            guard result != .skipped else { continue }
            didAny = true
            metrics.store.scrubbed(size, at: content.loop.clock.dateSeconds)
        }
        return didAny
    }
}
