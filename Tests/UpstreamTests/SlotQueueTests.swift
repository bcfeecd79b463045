import Reactor
import Testing

@testable import Upstream

/// Who gets an upstream's slots, in which order (RES-10).
struct SlotQueueTests {
    private func claim(_ client: String, isPassThrough: Bool = false) -> SlotQueue.Claim {
        SlotQueue.Claim(client: client, isPassThrough: isPassThrough)
    }

    /// Fills the slots and queues tickets for clients in this order, numbered from 0.
    private func queue(slots: Int, taken: [String], waiting: [String]) -> SlotQueue {
        var queue = SlotQueue(slotsMax: slots, waitersMax: 256)
        for client in taken {
            #expect(queue.request(claim(client)) { _ in true } == .admitted)
        }
        for (ticket, client) in waiting.enumerated() {
            #expect(queue.request(claim(client)) { _ in true } == .mustWait)
            queue.wait(UInt64(ticket), claim(client))
        }
        return queue
    }

    @Test func clientsAreServedInTurn() {
        var queue = queue(
            slots: 4, taken: ["z", "z", "z", "y"],
            waiting: ["a", "a", "a", "a", "b", "b", "c"])
        var order: [UInt64] = []
        for client in ["z", "z", "z", "y"] {
            order += queue.release(claim(client)) { _ in true }
        }
        #expect(order == [0, 4, 6, 1])
        for client in ["a", "b", "c"] { order += queue.release(claim(client)) { _ in true } }
        #expect(order == [0, 4, 6, 1, 5, 2, 3])
        #expect(queue.taken == 4)
    }

    @Test func nobodyHasAllSlots() {
        var queue = queue(slots: 8, taken: Array(repeating: "a", count: 6), waiting: ["a", "a"])
        #expect(queue.taken == 6)
        #expect(queue.request(claim("b")) { _ in true } == .admitted)
        #expect(queue.request(claim("")) { _ in true } == .admitted)
        #expect(queue.release(claim("b")) { _ in true } == [], "a has its share")
        #expect(queue.release(claim("a")) { _ in true } == [0])
        #expect(queue.taken == 7)
    }

    @Test func streamsAtAClientsPaceHaveHalfOfTheSlots() {
        var queue = SlotQueue(slotsMax: 8, waitersMax: 256)
        for number in 0..<4 {
            let claim = claim("\(number)", isPassThrough: true)
            #expect(queue.request(claim) { _ in true } == .admitted)
        }
        let late = claim("9", isPassThrough: true)
        #expect(queue.request(late) { _ in true } == .mustWait)
        queue.wait(1, late)
        #expect(queue.request(claim("9")) { _ in true } == .admitted)
        #expect(queue.release(claim("9")) { _ in true } == [])
        #expect(queue.release(claim("0", isPassThrough: true)) { _ in true } == [1])
    }

    @Test func aClientsQueueIsShort() {
        let mine = Array(repeating: "a", count: SlotQueue.waitersPerClientMax)
        var queue = queue(slots: 4, taken: ["a", "a", "a", "b"], waiting: mine)
        #expect(queue.request(claim("a")) { _ in true } == .full)
        #expect(queue.request(claim("b")) { _ in true } == .mustWait)
        // Those who have given up make room.
        #expect(queue.request(claim("a")) { $0 > 0 } == .mustWait)
        var whole = self.queue(slots: 1, taken: ["a"], waiting: [])
        for number in 0..<256 {
            #expect(whole.request(claim("c\(number)")) { _ in true } == .mustWait)
            whole.wait(UInt64(number), claim("c\(number)"))
        }
        #expect(whole.request(claim("d")) { _ in true } == .full)
    }

    // Nothing is lost and nothing given twice, whoever comes and goes.
    @Test(arguments: UInt64(1)...50)
    func theCountIsAlwaysRight(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var queue = SlotQueue(slotsMax: 6, waitersMax: 20)
        var held: [SlotQueue.Claim] = []
        var waiting: [UInt64: SlotQueue.Claim] = [:]
        for ticket in UInt64(0)..<400 {
            let alive = waiting
            switch Int.random(in: 0..<5, using: &generator) {
            case 0, 1:
                let claim = claim(
                    ["a", "b", "c", ""].randomElement(using: &generator) ?? "",
                    isPassThrough: Bool.random(using: &generator))
                switch queue.request(claim, isWaiting: { alive[$0] != nil }) {
                case .admitted: held.append(claim)
                case .mustWait:
                    queue.wait(ticket, claim)
                    waiting[ticket] = claim
                case .full: break
                }
            case 2:
                if let gone = waiting.keys.sorted().randomElement(using: &generator) {
                    waiting[gone] = nil
                }
            default:
                guard !held.isEmpty else { continue }
                let claim = held.remove(at: Int.random(in: 0..<held.count, using: &generator))
                for woken in queue.release(claim, isWaiting: { alive[$0] != nil }) {
                    guard let claim = waiting.removeValue(forKey: woken) else {
                        Issue.record("seed \(seed): \(woken) was not waiting")
                        continue
                    }
                    held.append(claim)
                }
            }
            #expect(queue.taken == held.count && held.count <= 6, "seed \(seed)")
            #expect(held.count { $0.isPassThrough } <= 3, "seed \(seed)")
            for client in ["a", "b", "c"] {
                #expect(held.count { $0.client == client } <= 4, "seed \(seed)")
            }
        }
        while let claim = held.popLast() {
            let alive = waiting
            for woken in queue.release(claim, isWaiting: { alive[$0] != nil }) {
                if let claim = waiting.removeValue(forKey: woken) { held.append(claim) }
            }
        }
        #expect(waiting.isEmpty && queue.taken == 0, "seed \(seed): nobody is left behind")
    }
}
