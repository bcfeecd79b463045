/// Watches how much a tree takes on disk, again and again, and keeps the most it saw.
package final class DiskUsageSampler: Sendable {
    private struct Seen {
        var most: Int64 = 0
        var samples = 0
        var isStopping = false
        var hasStopped = false
    }
    private let seen = Monitor(Seen())

    /// Samples `path` until stopped, with a pause of at most `interval` between two walks.
    package init(_ path: String, interval: Duration = .milliseconds(5)) {
        let seen = seen
        ThreadStarter.start {
            repeat {
                let usage = Files.diskUsage(path)
                seen.with { seen in
                    seen.most = max(seen.most, usage)
                    seen.samples += 1
                }
            } while !seen.wait(interval) { $0.isStopping }
            seen.with { $0.hasStopped = true }
        }
    }

    deinit { seen.with { $0.isStopping = true } }

    /// The most bytes seen at one time so far.
    package var most: Int64 { seen.read { $0.most } }
    package var samples: Int { seen.read { $0.samples } }

    /// Ends the watch and gives the most bytes seen.
    package func stop() -> Int64 {
        seen.with { $0.isStopping = true }
        seen.wait(.seconds(10)) { $0.hasStopped }
        return most
    }
}
