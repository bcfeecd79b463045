import Glibc

/// A value behind a lock with a condition: threads change it, others wait until it fits.
///
/// Every change wakes all waiters, so tests wait for conditions and never for time alone.
/// `@unchecked Sendable`: `state` is only touched while `mutex` is held.
package final class Monitor<State>: @unchecked Sendable {
    private var state: State
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>

    package init(_ state: State) {
        self.state = state
        mutex = .allocate(capacity: 1)
        changed = .allocate(capacity: 1)
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

    /// Reads or changes the value, then wakes whoever waits for it.
    @discardableResult
    package func with<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(changed)
            pthread_mutex_unlock(mutex)
        }
        return try body(&state)
    }

    /// Reads the value without waking anybody.
    package func read<Result>(_ body: (State) throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(state)
    }

    /// Waits until `condition` holds; false if the deadline came first.
    @discardableResult
    package func wait(
        _ limit: Duration = .seconds(60), until condition: (inout State) -> Bool
    ) -> Bool {
        var deadline = Stopwatch.timespecNow()
        let parts = limit.components
        deadline.tv_sec += Int(parts.seconds)
        deadline.tv_nsec += Int(parts.attoseconds / 1_000_000_000)
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_sec += 1
            deadline.tv_nsec -= 1_000_000_000
        }
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !condition(&state) {
            if pthread_cond_timedwait(changed, mutex, &deadline) == ETIMEDOUT {
                return condition(&state)
            }
        }
        return true
    }
}

/// A door that threads wait at until a test opens it.
package final class Gate: Sendable {
    private let state = Monitor((isOpen: false, arrivals: 0))

    package init() {}

    /// Lets everyone through, now and later.
    package func open() { state.with { $0.isOpen = true } }

    package var isOpen: Bool { state.read { $0.isOpen } }

    /// How many came to the door so far.
    package var arrivals: Int { state.read { $0.arrivals } }

    /// Counts an arrival and waits until the door is open; false after `limit`.
    @discardableResult
    package func pass(within limit: Duration = .seconds(120)) -> Bool {
        state.with { $0.arrivals += 1 }
        return state.wait(limit) { $0.isOpen }
    }

    /// Counts an arrival without waiting.
    func arrive() { state.with { $0.arrivals += 1 } }

    /// Waits until the door opens, but gives the caller a turn twenty times a second.
    func waitBriefly() { state.wait(.milliseconds(50)) { $0.isOpen } }

    /// Waits until `count` have come to the door.
    @discardableResult
    package func awaitArrivals(_ count: Int, within limit: Duration = .seconds(60)) -> Bool {
        state.wait(limit) { $0.arrivals >= count }
    }
}

/// Measures elapsed monotonic time.
package struct Stopwatch: Sendable {
    private let start = Stopwatch.now()

    package init() {}

    package var elapsed: Duration { .nanoseconds(Stopwatch.now() - start) }

    /// Elapsed time in seconds.
    package var seconds: Double { Double(Stopwatch.now() - start) / 1e9 }

    static func timespecNow() -> timespec {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time
    }

    private static func now() -> Int64 {
        let time = timespecNow()
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
