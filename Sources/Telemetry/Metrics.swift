import Synchronization

/// The registry of all metric families, and the page that shows them.
///
/// Families are declared once, at start; declaring a name again is a bug. Counting is lock-free
/// through bound members. Values that something else already knows are asked for by a closure when
/// the page is made.
package final class Metrics: Sendable {
    /// One value of a family that is asked for when the page is made.
    package struct Sample: Sendable {
        let labels: [String]
        let value: Double

        package init(_ value: Double, labels: [String] = []) {
            self.labels = labels
            self.value = value
        }
    }

    private struct Family: Sendable {
        let name: String
        let help: String
        let type: String
        let render: @Sendable (String, inout Exposition) -> Void
    }

    private let families = Mutex<[Family]>([])

    package init() {}

    /// Declares a family of counters.
    package func counter(_ name: String, help: String, labels: [String] = []) -> Counter {
        let counter = Counter(labels: labels)
        register(name, help, "counter") { counter.render($0, to: &$1) }
        return counter
    }

    /// Declares a family of gauges.
    package func gauge(_ name: String, help: String, labels: [String] = []) -> Gauge {
        let gauge = Gauge(labels: labels)
        register(name, help, "gauge") { gauge.render($0, to: &$1) }
        return gauge
    }

    /// Declares a family of histograms of durations.
    package func histogram(
        _ name: String, help: String, labels: [String] = [], buckets: [Duration]
    ) -> Histogram {
        let histogram = Histogram(labels: labels, buckets: buckets)
        register(name, help, "histogram") { histogram.render($0, to: &$1) }
        return histogram
    }

    /// Declares a gauge that is asked for when the page is made.
    ///
    /// `collect` answers at once, without waiting for anything, and nothing when it does not know.
    package func sampledGauge(
        _ name: String, help: String, labels: [String] = [],
        collect: @escaping @Sendable () -> [Sample]
    ) {
        registerSampled(name, help, "gauge", labels, collect)
    }

    /// Declares a counter that is asked for when the page is made.
    package func sampledCounter(
        _ name: String, help: String, labels: [String] = [],
        collect: @escaping @Sendable () -> [Sample]
    ) {
        registerSampled(name, help, "counter", labels, collect)
    }

    /// The page, in text format 0.0.4 (`text/plain; version=0.0.4; charset=utf-8`).
    package func render() -> [UInt8] {
        var page = Exposition()
        for family in families.withLock({ $0 }) {
            page.family(family.name, help: family.help, type: family.type)
            family.render(family.name, &page)
        }
        return page.bytes
    }

    private func registerSampled(
        _ name: String, _ help: String, _ type: String, _ labels: [String],
        _ collect: @escaping @Sendable () -> [Sample]
    ) {
        register(name, help, type) { name, page in
            for sample in collect() where sample.labels.count == labels.count {
                page.sample(name, labels, sample.labels, sample.value)
            }
        }
    }

    private func register(
        _ name: String, _ help: String, _ type: String,
        _ render: @escaping @Sendable (String, inout Exposition) -> Void
    ) {
        families.withLock { families in
            precondition(!families.contains { $0.name == name }, "a metric is declared once")
            families.append(Family(name: name, help: help, type: type, render: render))
        }
    }
}
