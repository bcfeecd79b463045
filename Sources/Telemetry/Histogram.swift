import Synchronization

/// A family of histograms of durations, shown in seconds.
package final class Histogram: Sendable {
    private let series: SeriesTable<BoundHistogram>

    init(labels: [String], buckets: [Duration]) {
        let bounds = buckets.sorted().map { HistogramBound($0) }
        series = SeriesTable(labels: labels) { BoundHistogram(bounds: bounds) }
    }

    /// The histogram of these label values, made on first use and empty.
    package func bound(_ values: [String] = []) -> BoundHistogram {
        series[values]
    }

    package func observe(_ duration: Duration, _ values: [String] = []) {
        series[values].observe(duration)
    }

    func render(_ name: String, to page: inout Exposition) {
        for (labels, histogram) in series.sorted() {
            histogram.render(name, series.labels, labels, to: &page)
        }
    }
}

/// The upper bound of a bucket.
struct HistogramBound: Sendable {
    let nanoseconds: Int64
    /// As `le` shows it.
    let text: String

    init(_ bound: Duration) {
        nanoseconds = bound.nanosecondsClamped
        text = Exposition.text(Double(nanoseconds) / 1e9)
    }
}

/// One histogram; observing is three atomic additions after a short search.
package final class BoundHistogram: Sendable {
    private let bounds: [HistogramBound]
    /// Observations per bucket, not cumulative; the last one is for everything longer.
    private let counts: [BoundCounter]
    private let nanoseconds = BoundCounter()

    init(bounds: [HistogramBound]) {
        self.bounds = bounds
        counts = (0...bounds.count).map { _ in BoundCounter() }
    }

    package func observe(_ duration: Duration) {
        observe(nanoseconds: duration.nanosecondsClamped)
    }

    /// Counts a duration given as nanoseconds; a negative one counts as zero.
    package func observe(nanoseconds elapsed: Int64) {
        let elapsed = max(0, elapsed)
        var index = 0
        while index < bounds.count && elapsed > bounds[index].nanoseconds { index += 1 }
        counts[index].add()
        nanoseconds.add(Int(elapsed))
    }

    package var count: Int {
        counts.reduce(0) { $0 + $1.value }
    }

    func render(
        _ name: String, _ labels: [String], _ values: [String], to page: inout Exposition
    ) {
        var total = 0
        for (index, counter) in counts.enumerated() {
            total += counter.value
            let bound = index < bounds.count ? bounds[index].text : "+Inf"
            page.sample(name + "_bucket", labels + ["le"], values + [bound], total)
        }
        page.sample(name + "_sum", labels, values, Double(nanoseconds.value) / 1e9)
        page.sample(name + "_count", labels, values, total)
    }
}

extension Duration {
    /// Nanoseconds; 0 for negative durations and the largest number for those over 292 years.
    fileprivate var nanosecondsClamped: Int64 {
        max(0, Int64(clamping: attoseconds / 1_000_000_000))
    }
}
