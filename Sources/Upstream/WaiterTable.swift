import Reactor

/// Tasks of one upstream client that wait for something: a slot, a head, a chunk, a token.
///
/// On the loop's thread only. A ticket is woken at most once, by whatever comes first: the event,
/// its deadline, or the cancellation of its task; later wake-ups find nothing.
final class WaiterTable {
    typealias Outcome = Result<Void, UpstreamError>

    private struct Waiter {
        let continuation: UnsafeContinuation<Outcome, Never>
        let timer: LoopTimer?
    }

    private var waiting: [UInt64: Waiter] = [:]
    private var lastTicket: UInt64 = 0

    func ticket() -> UInt64 {
        lastTicket &+= 1
        return lastTicket
    }

    func add(
        _ ticket: UInt64, _ continuation: UnsafeContinuation<Outcome, Never>, timer: LoopTimer?
    ) {
        waiting[ticket] = Waiter(continuation: continuation, timer: timer)
    }

    func isWaiting(_ ticket: UInt64) -> Bool { waiting[ticket] != nil }

    func wake(_ ticket: UInt64, _ outcome: Outcome) {
        guard let waiter = waiting.removeValue(forKey: ticket) else { return }
        waiter.timer?.cancel()
        waiter.continuation.resume(returning: outcome)
    }
}
