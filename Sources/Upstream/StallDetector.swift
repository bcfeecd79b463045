import Reactor

/// Notices a body that comes slower than a rate over a window; a paused one is never slow.
final class StallDetector {
    /// Looks taken in each window: a stall is found within 1/6 of the window after it is one.
    private static let looksPerWindow = 6

    private unowned let transfer: Transfer
    private let interval: Duration
    private let bytesMin: Int64
    /// Bytes received at each of the last looks, oldest first.
    private var looks: [Int64] = []
    private var timer: LoopTimer?

    init(_ transfer: Transfer, window: Duration, rate: Int64) {
        self.transfer = transfer
        interval = window / Self.looksPerWindow
        let milliseconds = Int64(window.wholeMilliseconds)
        bytesMin = max(1, rate.multipliedReportingOverflow(by: milliseconds).partialValue / 1000)
        looks = [transfer.received]
        schedule()
    }

    func stop() {
        timer?.cancel()
        timer = nil
    }

    /// Begins a new window: time spent paused does not count.
    func restart(received: Int64) {
        looks = [received]
    }

    private func schedule() {
        timer = transfer.pool.loop.timer(after: interval) { [weak self] in self?.look() }
    }

    private func look() {
        if transfer.isPaused {
            looks = [transfer.received]
        } else {
            looks.append(transfer.received)
            if looks.count > Self.looksPerWindow, let first = looks.first {
                if transfer.received - first < bytesMin {
                    transfer.end(.failure(.stalled))
                    transfer.pool.multi.settle()
                    return
                }
                looks.removeFirst()
            }
        }
        schedule()
    }
}
