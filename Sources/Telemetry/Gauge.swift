import Synchronization

/// A family of gauges: one name, and one number that goes up and down per label values.
package final class Gauge: Sendable {
    private let series: SeriesTable<BoundGauge>

    init(labels: [String]) {
        series = SeriesTable(labels: labels) { BoundGauge() }
    }

    /// The gauge of these label values, made on first use and zero.
    package func bound(_ values: [String] = []) -> BoundGauge {
        let gauge = series[values]
        gauge.show()
        return gauge
    }

    /// The same, but not shown before its first value: for what nobody has said yet.
    package func boundUnset(_ values: [String] = []) -> BoundGauge {
        series[values]
    }

    package func set(_ number: Int, _ values: [String] = []) {
        series[values].set(number)
    }

    /// Stops showing the gauge of these label values, for instance of a listener that closed.
    package func remove(_ values: [String]) {
        series.remove(values)
    }

    /// The first label's values that are known.
    var names: [String] { series.sorted().compactMap { labels, _ in labels.first } }

    func render(_ name: String, to page: inout Exposition) {
        for (labels, gauge) in series.sorted() where gauge.isShown {
            page.sample(name, series.labels, labels, gauge.value)
        }
    }
}

/// One gauge.
package final class BoundGauge: Sendable {
    private let number = Atomic<Int>(0)
    private let shown = Atomic<Bool>(false)

    init() {}

    package func set(_ value: Int) {
        number.store(value, ordering: .relaxed)
        show()
    }

    package func add(_ change: Int = 1) {
        number.wrappingAdd(change, ordering: .relaxed)
        show()
    }

    package func subtract(_ change: Int = 1) {
        number.wrappingSubtract(change, ordering: .relaxed)
    }

    package var value: Int {
        number.load(ordering: .relaxed)
    }

    fileprivate var isShown: Bool {
        shown.load(ordering: .relaxed)
    }

    fileprivate func show() {
        shown.store(true, ordering: .relaxed)
    }
}
