/// Who may use an upstream's transfer slots, and who is next (RES-10).
///
/// A pure value. Clients are served in turn, each with its oldest request first, so that a client
/// with a hundred requests and one with a single request wait for the same number of slots. Nobody
/// has more than three quarters of the slots, and bodies that are streamed through at the pace of a
/// slow client have no more than half of them together.
struct SlotQueue {
    /// For whom and what a slot is taken.
    struct Claim: Equatable {
        /// Empty for what Cistern does of its own accord.
        var client: String
        var isPassThrough = false
    }

    enum Admission: Equatable {
        case admitted
        case mustWait
        case full
    }

    private struct Waiter {
        let ticket: UInt64
        let claim: Claim
    }

    /// Requests of one client that wait for a slot.
    static let waitersPerClientMax = 32

    private let slotsMax: Int
    private let waitersMax: Int
    private(set) var taken = 0
    private var takenBy: [String: Int] = [:]
    private var passThroughTaken = 0
    /// Waiting requests by client, oldest first; the clients stand in the order of their turns.
    private var waiting: [String: [Waiter]] = [:]
    private var turns: [String] = []

    init(slotsMax: Int, waitersMax: Int) {
        self.slotsMax = slotsMax
        self.waitersMax = waitersMax
    }

    /// Takes a slot if there is one; what must wait has to be given to `wait` then.
    mutating func request(_ claim: Claim, isWaiting: (UInt64) -> Bool) -> Admission {
        if taken < slotsMax, mayTake(claim) {
            take(claim)
            return .admitted
        }
        forgetGone(isWaiting)
        let own = waiting[claim.client]?.count ?? 0
        let all = waiting.values.reduce(0) { $0 + $1.count }
        let isFull = all >= waitersMax || !claim.client.isEmpty && own >= Self.waitersPerClientMax
        return isFull ? .full : .mustWait
    }

    /// Takes a place in the queue.
    mutating func wait(_ ticket: UInt64, _ claim: Claim) {
        if waiting[claim.client] == nil { turns.append(claim.client) }
        waiting[claim.client, default: []].append(Waiter(ticket: ticket, claim: claim))
    }

    /// Gives a slot back; returns the tickets of those who have one now.
    mutating func release(_ claim: Claim, isWaiting: (UInt64) -> Bool) -> [UInt64] {
        taken -= 1
        if claim.isPassThrough { passThroughTaken -= 1 }
        let left = (takenBy[claim.client] ?? 1) - 1
        takenBy[claim.client] = left > 0 ? left : nil
        forgetGone(isWaiting)
        var woken: [UInt64] = []
        while taken < slotsMax, let next = takeNext() { woken.append(next) }
        return woken
    }

    private mutating func takeNext() -> UInt64? {
        for (place, client) in turns.enumerated() {
            guard var queue = waiting[client],
                let index = queue.firstIndex(where: { mayTake($0.claim) })
            else { continue }
            let next = queue.remove(at: index)
            take(next.claim)
            // Its next turn comes after everybody else's.
            turns.remove(at: place)
            waiting[client] = queue.isEmpty ? nil : queue
            if !queue.isEmpty { turns.append(client) }
            return next.ticket
        }
        return nil
    }

    private func mayTake(_ claim: Claim) -> Bool {
        if claim.isPassThrough, passThroughTaken >= max(1, slotsMax / 2) { return false }
        if claim.client.isEmpty { return true }
        return takenBy[claim.client] ?? 0 < max(1, slotsMax * 3 / 4)
    }

    private mutating func take(_ claim: Claim) {
        taken += 1
        takenBy[claim.client, default: 0] += 1
        if claim.isPassThrough { passThroughTaken += 1 }
    }

    /// Those who have waited long enough are gone.
    private mutating func forgetGone(_ isWaiting: (UInt64) -> Bool) {
        for client in turns {
            let left = waiting[client]?.filter { isWaiting($0.ticket) } ?? []
            waiting[client] = left.isEmpty ? nil : left
        }
        turns.removeAll { waiting[$0] == nil }
    }
}
