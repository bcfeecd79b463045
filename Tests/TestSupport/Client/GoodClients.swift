/// Clients that pull what is cached again and again, check every byte, and note how long it takes.
package final class GoodClients: Sendable {
    /// What one client asks for, and what it must get.
    package struct Want: Sendable {
        let target: String
        let content: TestContent
        let fields: [(String, String)]

        package init(_ target: String, _ content: TestContent, fields: [(String, String)] = []) {
            (self.target, self.content, self.fields) = (target, content, fields)
        }
    }

    /// How a client uses connections.
    package enum Habit: Sendable {
        /// A new connection per request.
        case fresh
        /// One connection for many requests, as container clients do.
        case kept
    }

    /// What came of it.
    package struct Report: Sendable {
        package var problems: [String] = []
        /// Seconds from asking, connecting included, to the last byte.
        package var times: [Double] = []

        /// The time that all but this share of requests stayed below.
        package func percentile(_ share: Double) -> Double {
            let sorted = times.sorted()
            guard !sorted.isEmpty else { return 0 }
            return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
        }

        package var summary: String {
            func milliseconds(_ seconds: Double) -> Double { (seconds * 10_000).rounded() / 10 }
            return "\(times.count) requests, p50 \(milliseconds(percentile(0.5))) ms, "
                + "p99 \(milliseconds(percentile(0.99))) ms, "
                + "longest \(milliseconds(times.max() ?? 0)) ms"
        }
    }

    private let isStopped = Monitor(false)
    private let threads: [TestThread<Report>]

    /// Starts `count` clients on threads; they connect from `source`.
    package init(
        _ address: String, _ wants: [Want], count: Int = 4, habit: Habit = .kept,
        from source: String? = nil, timeout: Duration = .seconds(30)
    ) {
        let isStopped = isStopped
        threads = (0..<count).map { number in
            TestThread {
                var report = Report()
                var kept: RawClient?
                var turn = number
                while !isStopped.read({ $0 }) {
                    let want = wants[turn % wants.count]
                    turn += 1
                    let watch = Stopwatch()
                    do {
                        let client = try kept ?? RawClient(address, from: source)
                        client.socket.setTimeout(timeout)
                        let answer = try client.request(
                            want.target,
                            fields: want.fields
                                + (habit == .fresh ? [("Connection", "close")] : []),
                            sink: .compare(want.content))
                        if answer.status != 200 || !answer.isRight {
                            report.problems.append("\(want.target): \(answer)")
                        }
                        kept = habit == .kept && answer.keepsAlive ? client : nil
                    } catch {
                        report.problems.append("\(want.target): \(error)")
                        kept = nil
                    }
                    report.times.append(watch.seconds)
                }
                return report
            }
        }
    }

    /// Lets them go on for a while.
    package func goOn(for time: Duration) { isStopped.wait(time) { $0 } }

    /// Ends them and gives what they saw together.
    package func stop() throws -> Report {
        isStopped.with { $0 = true }
        var all = Report()
        for thread in threads {
            let report = try thread.value()
            all.problems += report.problems
            all.times += report.times
        }
        return all
    }
}
