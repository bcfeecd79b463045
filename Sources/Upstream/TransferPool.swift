import Reactor

/// The transfers of one upstream: its connections, its slots, and who waits for what.
///
/// On the loop's thread only; the actor `CurlUpstream` is its owner and the only way in.
final class TransferPool {
    let settings: UpstreamSettings
    let addressPolicy: AddressPolicy
    let events: UpstreamEvents
    let loop: EventLoop
    let multi: CurlMulti
    let waiters = WaiterTable()

    private var transfers: [UInt64: Transfer] = [:]
    private var lastID: UInt64 = 0
    /// Slots taken, each by one `send` from its start until its body is over.
    private(set) var slotsTaken = 0
    /// Tickets of those who wait for a slot, oldest first.
    private var queue: [UInt64] = []

    /// nil only when memory is exhausted.
    init?(_ settings: UpstreamSettings, events: UpstreamEvents, loop: EventLoop) {
        guard let multi = CurlMulti(on: loop) else { return nil }
        self.settings = settings
        self.events = events
        self.loop = loop
        self.multi = multi
        addressPolicy = AddressPolicy(
            configured: settings.base.origin, allowed: settings.allowNetworks)
    }

    deinit {
        for transfer in transfers.values {
            if let easy = transfer.easy { multi.remove(easy) }
        }
    }

    // MARK: - Slots

    /// What becomes of a request for a slot.
    enum Admission {
        case admitted
        case mustWait(ticket: UInt64)
        case full
    }

    /// Takes a slot, or a place in the queue: first come, first served.
    func requestSlot() -> Admission {
        if slotsTaken < settings.limits.transfersMax {
            slotsTaken += 1
            return .admitted
        }
        queue.removeAll { !waiters.isWaiting($0) }
        guard queue.count < settings.limits.queueMax else { return .full }
        let ticket = waiters.ticket()
        queue.append(ticket)
        return .mustWait(ticket: ticket)
    }

    /// Gives a slot back, or rather on to the one who has waited longest.
    func releaseSlot() {
        while !queue.isEmpty {
            let ticket = queue.removeFirst()
            guard waiters.isWaiting(ticket) else { continue }
            waiters.wake(ticket, .success(()))
            return
        }
        slotsTaken -= 1
    }

    // MARK: - Transfers

    /// Begins an exchange; nil only when memory is exhausted.
    func begin(_ plan: ExchangePlan) -> Transfer? {
        guard let easy = CurlEasy() else { return nil }
        lastID &+= 1
        let transfer = Transfer(id: lastID, plan: plan, easy: easy, pool: self)
        transfers[lastID] = transfer
        transfer.begin()
        return transfer
    }

    subscript(id: UInt64) -> Transfer? { transfers[id] }

    /// Called by a transfer that has ended.
    func ended(_ transfer: Transfer) {
        if transfer.holdsSlot {
            transfer.holdsSlot = false
            releaseSlot()
        }
        if transfer.isDiscarded { transfers[transfer.id] = nil }
    }

    /// Nobody will ask for this transfer again.
    func forget(_ transfer: Transfer) {
        transfer.discardRest()
        if transfer.outcome != nil { transfers[transfer.id] = nil }
    }

    /// Ends a transfer at once, closing its connection.
    func cancel(_ transfer: Transfer) {
        transfer.end(.failure(.cancelled))
        transfers[transfer.id] = nil
        multi.settle()
    }
}
