import CCurl
import CCurlShims
import Reactor

/// Time limits of each phase (UP-2). Timers are ours; libcurl's own are only a second fence.
extension Transfer {
    private var timeouts: UpstreamSettings.Timeouts { pool.settings.timeouts }

    /// Moves on to a later stage and arms its limit.
    ///
    /// May be called from libcurl's callbacks.
    func enter(_ next: Stage) {
        stage = next
        switch next {
        case .connecting: arm(timeouts.connect)
        case .handshaking:
            // From the loop: no option is changed inside a callback.
            phaseTimer?.cancel()
            phaseTimer = pool.loop.timer(after: .zero) { [weak self] in self?.allowHandshake() }
        case .awaitingHead: arm(timeouts.firstByte)
        case .readingHead: arm(timeouts.headers)
        case .body:
            phaseTimer?.cancel()
            phaseTimer = nil
            reportExchange(status: head.status, error: nil)
            stall = StallDetector(self, window: timeouts.stall, rate: timeouts.stallBytesPerSecond)
        case .ended: phaseTimer?.cancel()
        }
    }

    /// Fails the exchange after `limit`, or when the whole request is due if that is before.
    private func arm(_ limit: Duration) {
        phaseTimer?.cancel()
        let left = plan.deadline - pool.loop.now
        phaseTimer = pool.loop.timer(after: min(limit, left)) { [weak self] in
            guard let self, outcome == nil else { return }
            end(.failure(.timeout(limit < left ? currentPhase : .headers)))
            pool.multi.settle()
        }
    }

    /// libcurl counts the handshake as part of connecting: it gets its own time on top.
    private func allowHandshake() {
        let whole = timeouts.connect + timeouts.tls + .seconds(1)
        easy?.set(CURLOPT_CONNECTTIMEOUT_MS, whole.wholeMilliseconds)
        arm(timeouts.tls)
    }

    private var currentPhase: UpstreamError.Phase {
        stage == .awaitingHead ? .firstByte : connectPhase ?? .headers
    }

    /// What libcurl is busy with before the request is sent; nil later.
    var connectPhase: UpstreamError.Phase? {
        switch stage {
        case .connecting:
            easy?.time(CURLINFO_NAMELOOKUP_TIME_T) ?? .zero > .zero ? .connect : .resolve
        case .handshaking: .tls
        case .awaitingHead, .readingHead, .body, .ended: nil
        }
    }
}

extension Duration {
    var wholeMilliseconds: Int { Int(clamping: wholeNanoseconds / 1_000_000) }
}

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
