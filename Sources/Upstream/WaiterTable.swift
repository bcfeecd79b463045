import Reactor

/// Tasks of one upstream client that wait for something: a slot, a head, a chunk, a token.
///
/// On the loop's thread only. A ticket is woken once, by whatever comes first: the event, its
/// deadline, or the cancellation of its task; later wake-ups find nothing. It may be woken before
/// its task has got as far as to suspend, so every ticket issued must be waited for.
final class WaiterTable {
    typealias Outcome = Result<Void, UpstreamError>

    private enum State {
        /// The task is on its way to suspend.
        case issued
        case suspended(UnsafeContinuation<Outcome, Never>, LoopTimer?)
        /// Woken before it suspended.
        case woken(Outcome)
    }

    private var tickets: [UInt64: State] = [:]
    private var lastTicket: UInt64 = 0

    func ticket() -> UInt64 {
        lastTicket &+= 1
        tickets[lastTicket] = .issued
        return lastTicket
    }

    /// Suspends the ticket's task, or resumes it at once when it was woken meanwhile.
    func suspend(
        _ ticket: UInt64, _ continuation: UnsafeContinuation<Outcome, Never>,
        timer: () -> LoopTimer?
    ) {
        if case .woken(let outcome) = tickets[ticket] {
            tickets[ticket] = nil
            continuation.resume(returning: outcome)
        } else {
            tickets[ticket] = .suspended(continuation, timer())
        }
    }

    /// Whether the ticket has not been woken yet.
    func isWaiting(_ ticket: UInt64) -> Bool {
        switch tickets[ticket] {
        case .issued, .suspended: true
        case .woken, nil: false
        }
    }

    func wake(_ ticket: UInt64, _ outcome: Outcome) {
        switch tickets[ticket] {
        case .issued:
            tickets[ticket] = .woken(outcome)
        case .suspended(let continuation, let timer):
            tickets[ticket] = nil
            timer?.cancel()
            continuation.resume(returning: outcome)
        case .woken, nil:
            break
        }
    }
}
