import Glibc
import Synchronization

/// Where the time comes from: the kernel, or a clock that a test moves by hand.
package enum LoopClock: Sendable {
    case system
    case manual(ManualClock)

    /// Monotonic time, for ages, deadlines and timers.
    package var now: Instant {
        switch self {
        case .system: Instant(nanoseconds: Self.read(CLOCK_BOOTTIME))
        case .manual(let clock): clock.now
        }
    }

    /// Seconds since 1970 for ages that outlive the process.
    ///
    /// Read once and carried on by the monotonic clock, so that a jump of the wall clock neither
    /// ages nor rejuvenates anything (OPS-4).
    package var wallSeconds: Int64 {
        switch self {
        case .system:
            Self.anchor.wall &+ (Self.read(CLOCK_BOOTTIME) &- Self.anchor.boot) / 1_000_000_000
        case .manual(let clock): clock.wallSeconds
        }
    }

    /// Seconds since 1970 as the wall clock says now, for dates in answers and logs.
    package var dateSeconds: Int64 {
        switch self {
        case .system: Self.read(CLOCK_REALTIME) / 1_000_000_000
        case .manual(let clock): clock.wallSeconds
        }
    }

    private static let anchor = (
        wall: read(CLOCK_REALTIME) / 1_000_000_000, boot: read(CLOCK_BOOTTIME)
    )

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

/// A clock that stands still until it is moved.
package final class ManualClock: Sendable {
    private let state: Mutex<(now: Int64, wall: Int64)>

    /// Starts at `wallSeconds` since 1970.
    package init(wallSeconds: Int64 = 1_800_000_000) {
        state = Mutex((1_000_000_000, wallSeconds &* 1_000_000_000))
    }

    package var now: Instant { Instant(nanoseconds: state.withLock { $0.now }) }

    package var wallSeconds: Int64 { state.withLock { $0.wall / 1_000_000_000 } }

    /// Moves both clocks forward; timers fire when the loop runs next.
    package func advance(by delay: Duration) {
        state.withLock {
            $0.now &+= delay.wholeNanoseconds
            $0.wall &+= delay.wholeNanoseconds
        }
    }

    /// Sets only the wall clock, as an operator or NTP does (OPS-4).
    package func setWall(seconds: Int64) {
        state.withLock { $0.wall = seconds &* 1_000_000_000 }
    }
}
