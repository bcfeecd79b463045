/// A point on the monotonic clock that also counts suspended time (CLOCK_BOOTTIME, OPS-4).
package struct Instant: Comparable, Hashable, Sendable {
    package let nanoseconds: Int64

    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Later than anything that happens.
    package static let endOfTime = Instant(nanoseconds: .max)

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Later by `delay`, at most the end of time.
    package static func + (instant: Instant, delay: Duration) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(delay.wholeNanoseconds)
        return Instant(nanoseconds: overflow ? .max : sum)
    }

    package static func - (left: Instant, right: Instant) -> Duration {
        Duration(attoseconds: Int128(left.nanoseconds &- right.nanoseconds) * 1_000_000_000)
    }
}

extension Duration {
    /// The duration in nanoseconds, cut at what 64 bits hold.
    package var wholeNanoseconds: Int64 {
        Int64(clamping: attoseconds / 1_000_000_000)
    }

    /// The duration in seconds, for logs and metrics.
    package var inSeconds: Double {
        Double(wholeNanoseconds) / 1e9
    }
}
