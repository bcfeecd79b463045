import OCI
import Reactor

/// A client of a simulation: writes its requests and reads the answers, a few bytes at a time.
///
/// It is driven from outside, so that it can be arbitrarily slow, and outlives the daemon.
final class SimulatedClient {
    /// How an exchange ended.
    struct End {
        enum How: Equatable {
            case complete
            /// The connection ended before the answer did.
            case cut
            /// The client lost patience.
            case left
        }

        let exchange: Exchange
        let how: How
        let response: SimulatedResponse
        /// When its request was out, or the answer before it was in.
        let asked: Instant
    }

    struct Habits {
        /// Bytes it reads at once at most.
        var pieceMax = 64 << 10
        /// Bytes after which it leaves, if any.
        var patience: Int?
        /// Whether all requests are sent before the first answer.
        var pipelines = false
        /// Whether it only moves now and then.
        var isSlow = false
    }

    let id: Int
    let habits: Habits
    /// Exchanges that have not ended, the current one first.
    private(set) var exchanges: [Exchange]
    private var socket: SimulatedSocket?
    private var output: [UInt8] = []
    private var input: [UInt8] = []
    private var response: SimulatedResponse?
    private var sent = 0
    private var received = 0
    /// Since when the current answer is owed; nil while it is not asked for completely.
    private var waitsSince: Instant?
    /// The longest that it was kept waiting for a status line.
    private(set) var longestWait = Duration.zero

    init(id: Int, _ exchanges: [Exchange], _ habits: Habits) {
        self.id = id
        self.exchanges = exchanges
        self.habits = habits
    }

    var isDone: Bool { exchanges.isEmpty }

    func add(_ more: [Exchange]) { exchanges += more }

    /// Whether it is about to ask for the blob, or has.
    func wants(_ digest: Digest) -> Bool {
        exchanges.contains { exchange in
            if case .blob(digest, _) = exchange.what { true } else { false }
        }
    }

    /// What is held of a blob belongs to a daemon that is gone: its pulls begin at the first byte.
    func startAnew() {
        for index in exchanges.indices {
            guard case .blob(let digest, let held) = exchanges[index].what, !held.isEmpty else {
                continue
            }
            exchanges[index].what = .blob(digest, held: [])
            exchanges[index].range = nil
        }
    }

    /// Connects, writes and reads once; gives what ended, and whether anything moved.
    func step(_ address: SimulatedSocket.Address, _ now: Instant) -> (ends: [End], moved: Bool) {
        guard !isDone else { return ([], false) }
        if socket == nil {
            guard let made = try? SimulatedSocket(connectingTo: address) else { return ([], false) }
            socket = made
            sent = 0
            send(now)
            return ([], true)
        }
        let wrote = send(now)
        return read(now, wrote)
    }

    /// What the kernel still has for it is all that it gets: the other side is gone.
    func lose(_ now: Instant) -> [End] {
        guard socket != nil else { return [] }
        var ends: [End] = []
        while true {
            let step = read(now, false)
            ends += step.ends
            if !step.moved { break }
        }
        guard socket != nil else { return ends }
        if response != nil { ends += end(.cut, now) }
        disconnect()
        return ends
    }

    // MARK: - Parts

    @discardableResult
    private func send(_ now: Instant) -> Bool {
        let wanted = habits.pipelines ? exchanges.count : 1
        while sent < min(wanted, exchanges.count) {
            output += exchanges[sent].bytes
            sent += 1
            if sent == 1 { response = SimulatedResponse(toHead: exchanges[0].isHead) }
        }
        guard let socket, !output.isEmpty else { return false }
        let count = socket.send(output[..<min(output.count, habits.pieceMax)]) ?? output.count
        output.removeFirst(count)
        if output.isEmpty, waitsSince == nil { waitsSince = now }
        return count > 0
    }

    private func read(_ now: Instant, _ wrote: Bool) -> (ends: [End], moved: Bool) {
        guard let socket else { return ([], wrote) }
        switch socket.receive(habits.pieceMax, into: &input) {
        case .nothingYet: return ([], wrote)
        case .ended: return (ended(now), true)
        case .bytes(let count): received += count
        }
        let ends = takeAnswers(now)
        if let patience = habits.patience, received > patience, !isDone {
            let last = end(.left, now)
            exchanges = []
            disconnect()
            return (ends + last, true)
        }
        if isDone { disconnect() }
        return (ends, true)
    }

    private func takeAnswers(_ now: Instant) -> [End] {
        var ends: [End] = []
        while var current = response {
            let hadHead = current.hasHead
            current.take(&input)
            response = current
            if !hadHead, current.hasHead, let waitsSince {
                longestWait = max(longestWait, now - waitsSince)
            }
            guard current.isComplete || current.isMalformed else { break }
            ends += end(.complete, now)
            waitsSince = sent > 0 ? now : nil
            if current.closes || current.isMalformed {
                disconnect()
                break
            }
        }
        return ends
    }

    private func ended(_ now: Instant) -> [End] {
        response?.end()
        let ends = response.map { end($0.isComplete ? .complete : .cut, now) } ?? []
        disconnect()
        return ends
    }

    /// The current exchange is over.
    private func end(_ how: End.How, _ now: Instant) -> [End] {
        guard let exchange = exchanges.first else { return [] }
        let answered = response ?? SimulatedResponse(toHead: false)
        let end = End(exchange: exchange, how: how, response: answered, asked: waitsSince ?? now)
        exchanges.removeFirst()
        sent = max(0, sent - 1)
        response = sent > 0 ? exchanges.first.map { SimulatedResponse(toHead: $0.isHead) } : nil
        return [end]
    }

    private func disconnect() {
        socket?.close()
        socket = nil
        output = []
        input = []
        response = nil
        sent = 0
        waitsSince = nil
    }
}
