import Synchronization

/// A family of counters: one name, and one count per combination of label values.
package final class Counter: Sendable {
    private let series: SeriesTable<BoundCounter>

    init(labels: [String]) {
        series = SeriesTable(labels: labels) { BoundCounter() }
    }

    /// The counter of these label values, made on first use, to be kept where it is counted often.
    package func bound(_ values: [String] = []) -> BoundCounter {
        series[values]
    }

    /// Adds to the counter of these label values.
    package func add(_ count: Int = 1, _ values: [String] = []) {
        series[values].add(count)
    }

    func render(_ name: String, to page: inout Exposition) {
        for (labels, counter) in series.sorted() {
            page.sample(name, series.labels, labels, counter.value)
        }
    }
}

/// One counter; adding is one atomic instruction.
package final class BoundCounter: Sendable {
    private let count = Atomic<Int>(0)

    package init() {}

    package func add(_ number: Int = 1) {
        count.wrappingAdd(number, ordering: .relaxed)
    }

    package var value: Int {
        count.load(ordering: .relaxed)
    }
}
