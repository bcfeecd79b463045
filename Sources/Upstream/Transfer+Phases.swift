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
        case .awaitingHead: arm(plan.patience ?? timeouts.firstByte)
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
    ///
    /// `rest` is what is left of the limit, if some of it has passed.
    private func arm(_ limit: Duration, rest: Duration? = nil) {
        phaseTimer?.cancel()
        let rest = rest ?? limit
        let left = plan.deadline - pool.loop.now
        phaseTimer = pool.loop.timer(after: min(rest, left)) { [weak self] in
            guard let self, outcome == nil, !isStillSending(limit) else { return }
            end(.failure(.timeout(rest < left ? currentPhase : .headers)))
            pool.multi.settle()
        }
    }

    /// Whether the request's own body moved within `limit`: then its answer has time until later.
    private func isStillSending(_ limit: Duration) -> Bool {
        guard stage == .awaitingHead, let body = plan.body else { return false }
        let rest = limit - (pool.loop.now - body.lastMoved)
        guard rest > .zero, plan.deadline > pool.loop.now else { return false }
        arm(limit, rest: rest)
        return true
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
