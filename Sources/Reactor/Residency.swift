import Synchronization

/// What of a file was found in the page cache a moment ago, so that not each of many readers asks.
///
/// Asking costs a system call for each 128 KiB: three hundredths of what it takes to send them.
package struct Residency: ~Copyable, Sendable {
    /// Asked about, brought into memory and remembered in pieces of so many bytes.
    package static let windowBytes: Int64 = 8 << 20
    /// So many windows are remembered, 64 GiB; what lies behind them is asked about each time.
    private static let windowsMax = 8192
    /// How long a file that is being read is believed to stay in memory.
    private static let time = Duration.seconds(2)

    private let wholeUntil = Atomic<Int64>(.min)
    /// Until when each window is believed to be there, in nanoseconds; of long files only.
    private let windowsUntil = Mutex<[Int64]>([])

    /// Whether all of the file was found.
    package func isWhole(at now: Instant) -> Bool {
        now.nanoseconds < wholeUntil.load(ordering: .relaxed)
    }

    /// Says that all of the file was found.
    package func noteWhole(at now: Instant) {
        wholeUntil.store((now + Self.time).nanoseconds, ordering: .relaxed)
    }

    /// Whether the window that begins at or before `position` was found.
    package func hasWindow(of position: Int64, at now: Instant) -> Bool {
        let window = Int(position / Self.windowBytes)
        return windowsUntil.withLock {
            window < $0.count && now.nanoseconds < $0[window]
        }
    }

    /// Says that `range` was found; what is not a whole window of a file of `total` bytes is not
    /// remembered.
    package func note(_ range: Range<Int64>, of total: Int64?, at now: Instant) {
        let window = Int(range.lowerBound / Self.windowBytes)
        let isEnd = range.upperBound % Self.windowBytes == 0 || range.upperBound == total
        guard range.lowerBound % Self.windowBytes == 0, isEnd, window < Self.windowsMax
        else { return }
        windowsUntil.withLock { windows in
            if window >= windows.count {
                let missing = window + 1 - windows.count
                windows.append(contentsOf: repeatElement(.min, count: missing))
            }
            windows[window] = (now + Self.time).nanoseconds
        }
    }

    /// Where the window of `position` ends.
    package static func windowEnd(of position: Int64) -> Int64 {
        (position / windowBytes + 1) * windowBytes
    }
}
