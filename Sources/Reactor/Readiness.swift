package import Linux

/// Lets a task wait until its socket can be read or written; one task, on the loop only.
///
/// The socket is registered once, edge-triggered, so that a request costs no epoll_ctl. "Ready" is
/// believed until a call would block; then `clear…` is called and the next wait suspends.
package final class Readiness {
    package enum Outcome: Sendable { case ready, timedOut }

    private let loop: EventLoop
    private var watch: Watch?
    private var canRead = true
    private var canWrite = true
    /// The peer ended its direction: reading never blocks again, and no further event says so.
    private var peerEnded = false
    /// The peer will send no more, or is gone altogether.
    package private(set) var isHungUp = false
    /// Called once when the peer is gone while the task waits for something else.
    package var onHangUp: (() -> Void)?

    private var reader: UnsafeContinuation<Outcome, Never>?
    private var writer: UnsafeContinuation<Outcome, Never>?
    private var deadline: Instant?
    private var timer: LoopTimer?

    /// Registers `fd`, which the caller keeps open until `close`.
    package init(_ fd: Int32, on loop: EventLoop) throws(Errno) {
        self.loop = loop
        watch = try loop.watch(fd, [.read, .write, .peerClosed, .edge]) { [unowned self] events in
            handle(events)
        }
    }

    /// Ends the registration; call before the descriptor is closed.
    package func close() {
        watch?.cancel()
        watch = nil
        timer?.cancel()
        timer = nil
        onHangUp = nil
    }

    /// A read would have blocked, or gave less than was asked for.
    ///
    /// The next `untilReadable` waits for the kernel, unless the peer's end was reported already.
    package func clearReadable() {
        if !peerEnded { canRead = false }
    }

    /// Whether a read is worth trying without waiting.
    package var isReadable: Bool { canRead }

    /// A write would have blocked: the next `untilWritable` waits for the kernel.
    package func clearWritable() { canWrite = false }

    /// Suspends until the socket may be read, or `deadline` has passed.
    package func untilReadable(by deadline: Instant?) async -> Outcome {
        if canRead { return .ready }
        arm(deadline)
        return await withUnsafeContinuation {
            // The call itself may have been queued, and the event come meanwhile.
            if canRead { $0.resume(returning: .ready) } else { reader = $0 }
        }
    }

    /// Suspends until the socket may be written, or `deadline` has passed.
    package func untilWritable(by deadline: Instant?) async -> Outcome {
        if canWrite { return .ready }
        arm(deadline)
        return await withUnsafeContinuation {
            // The call itself may have been queued, and the event come meanwhile.
            if canWrite { $0.resume(returning: .ready) } else { writer = $0 }
        }
    }

    /// Ends a wait for reading at once, as if its time had passed: idle connections of a drain.
    package func interruptRead() {
        resumeReader(.timedOut)
    }

    private func handle(_ events: Interest) {
        let gone = !events.isDisjoint(with: [.hangUp, .error])
        if gone || events.contains(.peerClosed) { peerEnded = true }
        if gone || !events.isDisjoint(with: [.read, .peerClosed]) {
            canRead = true
            resumeReader(.ready)
        }
        if gone || events.contains(.write) {
            canWrite = true
            resumeWriter(.ready)
        }
        if gone && !isHungUp {
            isHungUp = true
            onHangUp?()
            onHangUp = nil
        }
    }

    private func resumeReader(_ outcome: Outcome) {
        guard let reader else { return }
        self.reader = nil
        reader.resume(returning: outcome)
    }

    private func resumeWriter(_ outcome: Outcome) {
        guard let writer else { return }
        self.writer = nil
        writer.resume(returning: outcome)
    }

    /// One timer serves all waits: a later deadline is noticed when the timer fires.
    private func arm(_ deadline: Instant?) {
        self.deadline = deadline
        guard let deadline else { return }
        if let timer, timer.isPending, timer.deadline <= deadline { return }
        timer?.cancel()
        timer = loop.timer(after: deadline - loop.now) { [unowned self] in timerFired() }
    }

    private func timerFired() {
        guard reader != nil || writer != nil, let deadline else { return }
        if loop.now < deadline {
            arm(deadline)
            return
        }
        resumeReader(.timedOut)
        resumeWriter(.timedOut)
    }
}
