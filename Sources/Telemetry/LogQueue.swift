import Glibc

/// The bounded queue between the threads that log and the one that writes.
///
/// `@unchecked Sendable`: `state` is touched only by `locked`, with `mutex` held; the mutex and the
/// condition live at addresses that do not change.
final class LogQueue: @unchecked Sendable {
    /// Most events that wait; with every field at its longest this is about 10 MiB.
    static let eventsMax = 4096

    /// How long the writer lets events gather between two writes.
    ///
    /// A busy daemon then wakes the writer a hundred times a second, not once per request, while a
    /// line after a quiet moment is written at once.
    private static let gatheringNanoseconds = 10_000_000

    /// A class, not a struct passed as `inout`: waiting gives the mutex up in the middle of a body,
    /// and what others change meanwhile must be read anew.
    private final class State {
        var events: [LogEvent] = []
        var dropped = 0
        /// Events taken in, and events written, since the start.
        var accepted = 0
        var written = 0
        var isClosed = false
        var isWriterWaiting = false
        var flushesWaiting = 0
    }

    private let state = State()
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(changed, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    /// Takes an event in, or counts it as dropped when the writer is too far behind.
    ///
    /// - Returns: Whether there was room.
    func push(_ event: LogEvent) -> Bool {
        locked { state in
            guard state.events.count < LogQueue.eventsMax, !state.isClosed else {
                state.dropped += 1
                return false
            }
            state.events.append(event)
            state.accepted += 1
            if state.isWriterWaiting {
                state.isWriterWaiting = false
                pthread_cond_broadcast(changed)
            }
            return true
        }
    }

    /// Waits for events and moves all of them out.
    ///
    /// - Returns: The events and how many were dropped before them, or nil when the queue is closed
    ///   and empty.
    func take() -> (events: [LogEvent], dropped: Int)? {
        locked { state in
            while state.events.isEmpty && state.dropped == 0 {
                if state.isClosed { return nil }
                state.isWriterWaiting = true
                pthread_cond_wait(changed, mutex)
            }
            state.isWriterWaiting = false
            defer {
                state.events = []
                state.events.reserveCapacity(64)
                state.dropped = 0
            }
            return (state.events, state.dropped)
        }
    }

    /// Records that taken events were written, then lets more gather for a moment.
    func wrote(_ count: Int) {
        locked { state in
            state.written += count
            pthread_cond_broadcast(changed)
            let deadline = LogQueue.deadline(after: LogQueue.gatheringNanoseconds)
            while state.flushesWaiting == 0 && !state.isClosed {
                if !wait(until: deadline) { break }
            }
        }
    }

    /// Waits until everything taken in so far was written.
    ///
    /// - Parameter nanoseconds: How long to wait at most, for an output nobody reads.
    /// - Returns: Whether all of it was written.
    func flush(within nanoseconds: Int) -> Bool {
        locked { state in
            let goal = state.accepted
            let deadline = LogQueue.deadline(after: nanoseconds)
            state.flushesWaiting += 1
            defer { state.flushesWaiting -= 1 }
            pthread_cond_broadcast(changed)
            while state.written < goal {
                if !wait(until: deadline) { return state.written >= goal }
            }
            return true
        }
    }

    /// Refuses further events and lets the writer end after the last one.
    func close() {
        locked { state in
            state.isClosed = true
            pthread_cond_broadcast(changed)
        }
    }

    /// Waits on the condition with the mutex held; false when the deadline has passed.
    private func wait(until deadline: timespec) -> Bool {
        var deadline = deadline
        return pthread_cond_timedwait(changed, mutex, &deadline) == 0
    }

    private func locked<Result>(_ body: (State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(state)
    }

    private static func deadline(after nanoseconds: Int) -> timespec {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let total = now.tv_nsec + nanoseconds
        return timespec(
            tv_sec: now.tv_sec + total / 1_000_000_000, tv_nsec: total % 1_000_000_000)
    }
}
