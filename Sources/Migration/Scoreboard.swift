import OCI
import Reactor
import Synchronization

/// What a run has done so far: counted by those who work, read by those who show it.
final class Scoreboard: Sendable {
    /// Failures that are kept for the report; more are only counted.
    private static let failuresMax = 10_000

    /// One name's row.
    struct Row: Sendable {
        var copied = 0
        var skipped = 0
        var failed = 0
    }

    /// An image under way: what was sent of it, of what is known to be sent.
    struct Active: Sendable {
        let number: Int
        let label: String
        var sent: Int64 = 0
        var expected: Int64 = 0
    }

    struct Sample: Sendable {
        var total = 0
        var rows: [String: Row] = [:]
        var failures: [(label: String, failure: CopyFailure)] = []
        var failuresUntold = 0
        var bytes: Int64 = 0
        var mounts = 0
        var retries = 0
        /// Images under way, oldest first.
        var active: [Active] = []
        var limits: [Side: Instant] = [:]
        /// What is being listed, and how many images were found.
        var listing: String?
        /// Failures that say that a registry is gone, with nothing in between.
        var outagesInRow = 0

        var copied: Int { rows.values.reduce(0) { $0 + $1.copied } }
        var skipped: Int { rows.values.reduce(0) { $0 + $1.skipped } }
        var failed: Int { rows.values.reduce(0) { $0 + $1.failed } }
        var done: Int { copied + skipped + failed }

        fileprivate mutating func note(_ failure: CopyFailure, _ name: String, _ label: String) {
            rows[name, default: Row()].failed += 1
            if failures.count < Scoreboard.failuresMax {
                failures.append((label, failure))
            } else {
                failuresUntold += 1
            }
        }
    }

    private let state = Mutex(Sample())

    var sample: Sample { state.withLock { $0 } }

    func listing(_ what: String?) { state.withLock { $0.listing = what } }

    func expect(_ count: Int) { state.withLock { $0.total += count } }

    func began(_ item: ImageItem) {
        state.withLock { $0.active.append(Active(number: item.number, label: item.label)) }
    }

    func ended(_ item: ImageItem) {
        state.withLock { $0.active.removeAll { $0.number == item.number } }
    }

    /// So many bytes of an image have to be sent.
    func expect(_ bytes: Int64, of item: ImageItem) {
        update(item) { active in
            let (sum, overflow) = active.expected.addingReportingOverflow(bytes)
            active.expected = overflow ? .max : sum
        }
    }

    private func update(_ item: ImageItem, _ body: (inout Active) -> Void) {
        state.withLock { sample in
            guard let index = sample.active.firstIndex(where: { $0.number == item.number })
            else { return }
            body(&sample.active[index])
        }
    }

    func copied(_ item: ImageItem) {
        state.withLock {
            $0.rows[item.target.text, default: Row()].copied += 1
            $0.outagesInRow = 0
        }
    }

    func skipped(_ item: ImageItem) {
        state.withLock {
            $0.rows[item.target.text, default: Row()].skipped += 1
            $0.outagesInRow = 0
        }
    }

    /// `name` is the row, `label` what the report calls it.
    func failed(_ name: String, _ label: String, _ failure: CopyFailure) {
        state.withLock {
            $0.note(failure, name, label)
            $0.outagesInRow = failure.isOutage ? $0.outagesInRow + 1 : 0
        }
    }

    /// What could not be listed, which says nothing about the images that were.
    func unlisted(_ name: String, _ failure: CopyFailure) {
        state.withLock { $0.note(failure, name, name) }
    }

    func moved(_ bytes: Int, of item: ImageItem) {
        state.withLock { $0.bytes += Int64(bytes) }
        update(item) { $0.sent += Int64(bytes) }
    }

    func mounted() { state.withLock { $0.mounts += 1 } }

    func retried() { state.withLock { $0.retries += 1 } }

    func limited(_ side: Side, until: Instant) { state.withLock { $0.limits[side] = until } }
}
