import Reactor
import Synchronization

/// How many cold blobs one client may have fetched at once: the others wait their turn (RES-10).
///
/// A fetch counts for the client that began it. One that waits and is joined by others goes on as
/// soon as any of them has room, so that nobody waits for somebody else's crowd.
final class FillGate: Sendable {
    /// Blob fetches of one client that run at once.
    static let fillsMax = 16
    /// Blob fetches of one client that wait.
    static let waitingMax = 32
    /// How long one waits: a client has its answer within 15 s (UP-2).
    static let patience = Duration.seconds(10)

    /// A fetch on its way through the gate.
    final class Ticket: Sendable {
        /// The client that it counts for, nil when it may not run.
        fileprivate let admitted = Promise<String?>()
    }

    private struct Waiter {
        let ticket: Ticket
        var clients: [String]
    }

    private struct State {
        var running: [String: Int] = [:]
        var waiting: [Waiter] = []

        func hasRoom(_ client: String) -> Bool {
            client.isEmpty || running[client] ?? 0 < FillGate.fillsMax
        }

        mutating func count(_ client: String) {
            if !client.isEmpty { running[client, default: 0] += 1 }
        }
    }

    private let state = Mutex(State())

    /// Asks for a place on behalf of the current client.
    func enter() -> Ticket {
        let ticket = Ticket()
        let client = Requester.client
        let outcome: String?? = state.withLock { state in
            if state.hasRoom(client) {
                state.count(client)
                return .some(client)
            }
            let own = state.waiting.count { $0.clients.contains(client) }
            guard own < Self.waitingMax else { return .some(nil) }
            state.waiting.append(Waiter(ticket: ticket, clients: [client]))
            return .none
        }
        if let outcome { ticket.admitted.fulfil(outcome) }
        return ticket
    }

    /// The current client waits for this fetch as well.
    func join(_ ticket: Ticket) {
        guard ticket.admitted.current == nil else { return }
        let client = Requester.client
        let isAdmitted = state.withLock { state in
            guard let index = state.waiting.firstIndex(where: { $0.ticket === ticket }) else {
                return false
            }
            guard state.hasRoom(client) else {
                state.waiting[index].clients.append(client)
                return false
            }
            state.waiting.remove(at: index)
            state.count(client)
            return true
        }
        if isAdmitted { ticket.admitted.fulfil(client) }
    }

    /// The client that the fetch counts for, once it may run; nil when there is no room in time.
    func pass(_ ticket: Ticket, on loop: EventLoop) async -> String? {
        if let admitted = await ticket.admitted.value(within: Self.patience, on: loop) {
            return admitted
        }
        state.withLock { $0.waiting.removeAll { $0.ticket === ticket } }
        // It may have been let in just now.
        return ticket.admitted.current ?? nil
    }

    /// A fetch of `client`'s is over: its next one may go.
    func leave(_ client: String) {
        guard !client.isEmpty else { return }
        let next = state.withLock { state -> Ticket? in
            let left = (state.running[client] ?? 1) - 1
            state.running[client] = left > 0 ? left : nil
            guard
                let index = state.waiting.firstIndex(where: { $0.clients.contains(client) })
            else { return nil }
            state.count(client)
            return state.waiting.remove(at: index).ticket
        }
        next?.admitted.fulfil(client)
    }
}
