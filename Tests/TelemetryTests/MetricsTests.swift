import Testing

@testable import Telemetry

@Suite struct MetricsTests {
    private func page(_ metrics: Metrics) -> String {
        String(decoding: metrics.render(), as: UTF8.self)
    }

    @Test func countersWithoutLabelsAreShownAsZeroFromTheStart() {
        let metrics = Metrics()
        let counter = metrics.counter("c_total", help: "Counts.")
        #expect(page(metrics) == "# HELP c_total Counts.\n# TYPE c_total counter\nc_total 0\n")
        counter.add(3)
        #expect(page(metrics).hasSuffix("c_total 3\n"))
    }

    @Test func helpAndLabelValuesAreEscaped() {
        let metrics = Metrics()
        let counter = metrics.counter("c_total", help: "a\\b\n\"c\"", labels: ["l"])
        counter.add(1, ["x\\y\n\"z\""])
        #expect(
            page(metrics) == #"""
                # HELP c_total a\\b\n"c"
                # TYPE c_total counter
                c_total{l="x\\y\n\"z\""} 1

                """#)
    }

    @Test func membersAreSortedByTheirLabelValues() {
        let metrics = Metrics()
        let counter = metrics.counter("c_total", help: "C.", labels: ["a", "b"])
        let bound = counter.bound(["2", "1"])
        counter.add(1, ["1", "2"])
        bound.add(5)
        counter.add(2, ["2", "1"])
        #expect(
            page(metrics).hasSuffix("c_total{a=\"1\",b=\"2\"} 1\nc_total{a=\"2\",b=\"1\"} 7\n"))
    }

    // RES-7: a family stays bounded even when a bug lets requests choose its labels.
    @Test func aFamilyNeverGrowsBeyondItsBound() {
        let metrics = Metrics()
        let counter = metrics.counter("c_total", help: "C.", labels: ["path"])
        for number in 0..<5000 { counter.add(1, ["/\(number)"]) }
        let text = page(metrics)
        #expect(text.split(separator: "\n").count == 2 + 1024 + 1)
        #expect(text.contains("c_total{path=\"other\"} 3976\n"))
    }

    @Test func aGaugeIsHiddenUntilSomebodyKnows() {
        let metrics = Metrics()
        let gauge = metrics.gauge("g", help: "G.", labels: ["repository"])
        let unknown = gauge.boundUnset(["hub"])
        gauge.bound(["quay"]).subtract(2)
        #expect(!page(metrics).contains("hub"))
        #expect(page(metrics).contains("g{repository=\"quay\"} -2\n"))
        unknown.set(0)
        #expect(page(metrics).contains("g{repository=\"hub\"} 0\n"))
        gauge.remove(["quay"])
        #expect(!page(metrics).contains("quay"))
    }

    @Test func histogramsAreCumulativeAndInSeconds() {
        let metrics = Metrics()
        let histogram = metrics.histogram(
            "h_seconds", help: "H.", buckets: [.milliseconds(5), .microseconds(500), .seconds(1)])
        for duration in [Duration.microseconds(500), .milliseconds(2), .seconds(3), .seconds(-1)] {
            histogram.observe(duration)
        }
        #expect(
            page(metrics) == """
                # HELP h_seconds H.
                # TYPE h_seconds histogram
                h_seconds_bucket{le="0.0005"} 2
                h_seconds_bucket{le="0.005"} 3
                h_seconds_bucket{le="1"} 3
                h_seconds_bucket{le="+Inf"} 4
                h_seconds_sum 3.0025
                h_seconds_count 4

                """)
    }

    @Test func sampledValuesAreAskedWhenThePageIsMade() {
        let metrics = Metrics()
        metrics.sampledGauge("g_bytes", help: "G.", labels: ["kind"]) {
            [Metrics.Sample(1.5e9, labels: ["blob"]), Metrics.Sample(.infinity, labels: ["x"])]
        }
        #expect(page(metrics).contains("g_bytes{kind=\"blob\"} 1500000000\n"))
        #expect(page(metrics).contains("g_bytes{kind=\"x\"} +Inf\n"))
    }

    @Test func countsOfManyThreadsAreAllThere() async {
        let metrics = Metrics()
        let counter = metrics.counter("c_total", help: "C.", labels: ["l"])
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask { for _ in 0..<1000 { counter.add(1, ["v"]) } }
            }
        }
        #expect(counter.bound(["v"]).value == 4000)
    }
}
