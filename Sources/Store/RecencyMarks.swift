package import Index
package import OCI
package import Reactor
import Synchronization

/// Uses that have not reached the index yet: a hit costs a dictionary entry, not a write.
package final class RecencyMarks: Sendable {
    /// Different digests remembered between two flushes; more are not marked.
    package static let marksMax = 65_536
    /// Seconds that a use is only remembered, unless there are many.
    ///
    /// Writing one to the index costs as much as answering a hit. A process that is killed loses
    /// that much of the order.
    private static let flushSeconds: Int64 = 60

    private struct State {
        var marks: [Digest: LastUse] = [:]
        var newest: Int64
        /// The next flush.
        var flush: UInt64 = 1
        /// When the last one was, by the clock that ages are told by.
        var flushedAt: Int64
    }

    private let clock: LoopClock
    private let state: Mutex<State>

    /// `newest` is the newest stamp that the index has.
    package init(clock: LoopClock, newest: Int64) {
        self.clock = clock
        state = Mutex(State(newest: newest, flushedAt: clock.wallSeconds))
    }

    /// A stamp that is newer than all before: wall microseconds that never run backwards (OPS-4).
    package func stamp() -> Int64 {
        let now = clock.wallSeconds.multipliedReportingOverflow(by: 1_000_000)
        return state.withLock { Self.next(&$0, now.overflow ? 0 : now.partialValue) }
    }

    private static func next(_ state: inout State, _ now: Int64) -> Int64 {
        // A stamp at the end of time can only come from a forged index; then order stops.
        let following = state.newest == .max ? Int64.max : state.newest + 1
        state.newest = max(now, following)
        return state.newest
    }

    /// Remembers that `digest` was used now.
    package func mark(_ digest: Digest) {
        let now = clock.wallSeconds
        state.withLock { state in
            Self.mark(state.marks[digest] ?? LastUse(digest), now, &state)
        }
    }

    /// The same without looking the digest up.
    func mark(_ use: LastUse) {
        let now = clock.wallSeconds
        state.withLock { Self.mark(use, now, &$0) }
    }

    private static func mark(_ use: LastUse, _ seconds: Int64, _ state: inout State) {
        if use.flush != state.flush {
            guard state.marks.count < marksMax || state.marks[use.digest] != nil else { return }
            use.flush = state.flush
            state.marks[use.digest] = use
        }
        let now = seconds.multipliedReportingOverflow(by: 1_000_000)
        use.stamp = next(&state, now.overflow ? 0 : now.partialValue)
    }

    /// Whether uses should be written now.
    var isFlushDue: Bool {
        let now = clock.wallSeconds
        return state.withLock {
            $0.marks.count > Self.marksMax / 2 || now - $0.flushedAt >= Self.flushSeconds
        }
    }

    /// Takes all marks out, oldest first.
    package func take() -> [UseMark] {
        let now = clock.wallSeconds
        let marks = state.withLock { state in
            defer {
                state.marks.removeAll(keepingCapacity: true)
                state.flush &+= 1
                state.flushedAt = now
            }
            return state.marks.map { UseMark(digest: $0.key, stamp: $0.value.stamp) }
        }
        return marks.sorted { $0.stamp < $1.stamp }
    }

    /// Seconds since the use that `stamp` stands for; a stamp in the future counts as now.
    package func idleSeconds(since stamp: Int64) -> Int64 {
        max(0, clock.wallSeconds &- stamp / 1_000_000)
    }
}
