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
    /// Slots, each taken by one `send` from its start until its body is over.
    private var slots: SlotQueue

    /// nil only when memory is exhausted.
    init?(_ settings: UpstreamSettings, events: UpstreamEvents, loop: EventLoop) {
        guard let multi = CurlMulti(on: loop) else { return nil }
        self.settings = settings
        self.events = events
        self.loop = loop
        self.multi = multi
        slots = SlotQueue(
            slotsMax: settings.limits.transfersMax, waitersMax: settings.limits.queueMax)
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

    /// Slots that are taken now.
    var slotsTaken: Int { slots.taken }

    /// Takes a slot, or a place in the queue.
    func requestSlot(_ claim: SlotQueue.Claim) -> Admission {
        switch slots.request(claim, isWaiting: waiters.isWaiting) {
        case .admitted: return .admitted
        case .full: return .full
        case .mustWait:
            let ticket = waiters.ticket()
            slots.wait(ticket, claim)
            return .mustWait(ticket: ticket)
        }
    }

    /// Gives a slot back, or rather on to those whose turn it is.
    func releaseSlot(_ claim: SlotQueue.Claim) {
        for ticket in slots.release(claim, isWaiting: waiters.isWaiting) {
            waiters.wake(ticket, .success(()))
        }
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
        if let claim = transfer.slot {
            transfer.slot = nil
            releaseSlot(claim)
        }
        if transfer.isDiscarded { transfers[transfer.id] = nil }
    }

    /// Nobody will ask for this transfer again.
    func forget(_ transfer: Transfer) {
        transfer.discardRest()
        if transfer.outcome != nil { transfers[transfer.id] = nil }
    }

    /// Ends all transfers at once, closing their connections.
    func endAll(_ error: UpstreamError) {
        for transfer in Array(transfers.values) { transfer.end(.failure(error)) }
        multi.settle()
    }

    /// Ends a transfer at once, closing its connection.
    func cancel(_ transfer: Transfer) {
        transfer.end(.failure(.cancelled))
        transfers[transfer.id] = nil
        multi.settle()
    }
}
