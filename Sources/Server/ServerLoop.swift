import HTTP
import Linux
import Reactor
import Synchronization

/// What one loop knows of the server: its connections, its acceptors, and what they share.
///
/// `@unchecked Sendable`: the `let`s are Sendable; everything else is touched on `loop` only, where
/// connections, acceptors and posted closures run.
final class ServerLoop: @unchecked Sendable {
    /// Below this a smaller slice costs more than it gives back.
    private static let sliceBytesMin = 256 << 10
    /// What all bodies of a loop send in one turn, five milliseconds if all clients are as fast.
    private static let turnBytesOfAll = 64 << 20
    /// What may wait in the kernel for all clients of a loop that take it slowly, roughly: without
    /// a bound a thousand of them exhaust what the kernel has for TCP, and nobody is served.
    private static let unsentBytesOfAll = 128 << 20
    /// Less than this would make even a fast client wait.
    private static let unsentBytesMin = 64 << 10
    /// What the kernel lets wait for one client, unless it is told otherwise.
    private static let unsentBytesOfKernel = 4 << 20
    /// A head that takes longer than this is the first to go when room is needed.
    private static let slowHead: Duration = .milliseconds(500)
    /// How many slow heads make room at once: whoever sends them sends many.
    private static let slowHeadsEndedMax = 16
    /// How long a drain waits for the first request of a connection (P13).
    private static let firstRequestPatience: Duration = .seconds(2)

    let loop: EventLoop
    let limits: ServerLimits
    let workers: WorkerPool?
    let events: ServerEvents
    let ledger: ConnectionLedger

    let blocks = BlockPool()
    let repeated = RepeatedRequests()
    private var acceptors: [Acceptor] = []
    /// By number, since what happens to all of them happens in the order of their age.
    private var connections: [UInt64: Connection] = [:]
    private var connectionsEver: UInt64 = 0
    private var headBuffers: [[UInt8]] = []
    private var handshakeNoted: Instant?
    private var pieceMemory: UnsafeMutableRawBufferPointer?
    private var jointMemory: UnsafeMutableRawBufferPointer?
    private var identifiers: SeededGenerator
    private var dateLine: [UInt8] = []
    private var dateSecond = Int64.min
    /// Bodies that are being sent from files or streams.
    var activeBodies = 0
    private(set) var isDraining = false
    /// Connections that are accepted and not closed; other loops look at it too.
    private let held = Atomic<Int>(0)
    /// Whether no further connection is taken; never false again.
    private let isFullForGood = Atomic<Bool>(false)
    private var whenDrained: (() -> Void)?

    init(
        loop: EventLoop, limits: ServerLimits, workers: WorkerPool?, events: ServerEvents,
        ledger: ConnectionLedger, seed: UInt64
    ) {
        self.loop = loop
        self.limits = limits
        self.workers = workers
        self.events = events
        self.ledger = ledger
        identifiers = SeededGenerator(seed: seed)
    }

    deinit {
        pieceMemory?.deallocate()
        jointMemory?.deallocate()
    }

    // MARK: - Accepting

    func accept(
        from listener: Listener, by handler: any RequestHandler, burst: Int,
        sharing loops: [ServerLoop]
    ) throws(Errno) {
        guard !isDraining else { return }
        let acceptor = Acceptor(
            listener, handler: handler, in: self, burst: burst, sharing: loops)
        try acceptor.start()
        acceptors.append(acceptor)
    }

    /// Stops accepting from `listener`; its connections end after their current answer.
    func stopAccepting(from listener: Listener) {
        for acceptor in acceptors where acceptor.listener === listener { acceptor.stop() }
        acceptors.removeAll { $0.listener === listener }
        for connection in byAge where connection.listener === listener {
            connection.endSoon()
        }
    }

    // MARK: - Connections

    /// A number for a new connection, higher than those before.
    func nextConnectionNumber() -> UInt64 {
        connectionsEver += 1
        return connectionsEver
    }

    private var byAge: [Connection] { connections.sorted { $0.key < $1.key }.map(\.value) }

    /// How many connections are here or on their way; from any loop.
    var connectionCount: Int { held.load(ordering: .relaxed) }

    /// A connection is accepted for this loop, by any of them; false if it takes no more.
    ///
    /// After true, `neverOpened` or `closed` follows.
    func arrived() -> Bool {
        held.add(1, ordering: .sequentiallyConsistent)
        // Who drains says so before it counts: one of the two sees the other.
        if !isFullForGood.load(ordering: .sequentiallyConsistent) { return true }
        held.subtract(1, ordering: .sequentiallyConsistent)
        // It may have counted this one.
        loop.post { [self] in finishDrainIfEmpty() }
        return false
    }

    func opened(_ connection: Connection) {
        connections[connection.number] = connection
        if isDraining { connection.endSoon(patience: Self.firstRequestPatience) }
    }

    /// A connection was gone before it could be served.
    func neverOpened() {
        held.subtract(1, ordering: .sequentiallyConsistent)
        finishDrainIfEmpty()
    }

    func closed(_ connection: Connection) {
        connections[connection.number] = nil
        held.subtract(1, ordering: .sequentiallyConsistent)
        finishDrainIfEmpty()
    }

    /// Makes room: ends those that have been sending a head for too long, else the connection that
    /// has been idle longest; false if nothing is to be ended now (RES-6).
    ///
    /// Where most connections have said nothing yet, they are the reason why there is no room: it
    /// is better to wait until their time is over than to end those who have been good.
    func makeRoom(countedIn ledger: ConnectionLedger) -> Bool {
        let counted = byAge.filter {
            ($0.listener.ownLedger ?? self.ledger) === ledger && !$0.isEnding
        }
        let pending = counted.filter { $0.headSince != nil }
        let slow = pending.filter { ($0.headSince ?? loop.now) + Self.slowHead <= loop.now }
        if !slow.isEmpty {
            let oldest = slow.sorted { ($0.headSince ?? loop.now) < ($1.headSince ?? loop.now) }
            for connection in oldest.prefix(Self.slowHeadsEndedMax) { connection.giveUp() }
            return true
        }
        if pending.count > counted.count / 2 { return false }
        let idle = counted.filter { $0.idleSince != nil }
        let oldest = idle.min { ($0.idleSince ?? loop.now) < ($1.idleSince ?? loop.now) }
        oldest?.giveUp()
        return oldest != nil
    }

    /// Whether a second has passed since the last failed handshake that was told of.
    func mayNoteHandshake() -> Bool {
        if let handshakeNoted, loop.now - handshakeNoted < .seconds(1) { return false }
        handshakeNoted = loop.now
        return true
    }

    func nextRequestID() -> RequestID { RequestID(identifiers.next()) }

    // MARK: - What answers share

    /// How much one connection may send before it gives way: less when many send.
    var sliceBytes: Int {
        let share = Self.turnBytesOfAll / max(1, activeBodies)
        return max(Self.sliceBytesMin, min(limits.turnBytesMax, share))
    }

    /// How much of a body that begins now may wait in the kernel unsent; nil for the kernel's own
    /// bound.
    ///
    /// In powers of two, so that it seldom changes.
    var unsentBytesMax: Int32? {
        guard activeBodies > Self.unsentBytesOfAll / Self.unsentBytesOfKernel else { return nil }
        let sharers = 1 << (Int.bitWidth - (activeBodies - 1).leadingZeroBitCount)
        return Int32(max(Self.unsentBytesMin, Self.unsentBytesOfAll / sharers))
    }

    /// An empty buffer for a head, to be given back.
    func takeHeadBuffer() -> [UInt8] {
        headBuffers.popLast() ?? []
    }

    /// Where bytes of a file are on their way to be encrypted; made for the first that needs it.
    var piece: UnsafeMutableRawBufferPointer {
        if let pieceMemory { return pieceMemory }
        let made = UnsafeMutableRawBufferPointer.allocate(
            byteCount: EncryptedChannel.pieceBytes, alignment: 64)
        pieceMemory = made
        return made
    }

    /// Where a head and a small body are put together; made for the first that needs it.
    var joint: UnsafeMutableRawBufferPointer {
        if let jointMemory { return jointMemory }
        let made = UnsafeMutableRawBufferPointer.allocate(
            byteCount: ResponseWriter.joinedFileBytesMax + (8 << 10), alignment: 64)
        jointMemory = made
        return made
    }

    func giveBack(_ buffer: consuming [UInt8]) {
        guard headBuffers.count < 16, buffer.capacity <= 64 << 10 else { return }
        buffer.removeAll(keepingCapacity: true)
        headBuffers.append(buffer)
    }

    /// Appends `Date: …`, formatted once per second.
    func appendDate(to output: inout [UInt8]) {
        let second = loop.clock.dateSeconds
        if second != dateSecond {
            dateSecond = second
            dateLine = Array("Date: ".utf8) + HTTPDate.bytes(second) + [13, 10]
        }
        output.append(contentsOf: dateLine)
    }

    // MARK: - Draining

    /// Stops accepting, ends idle connections and calls `whenDone` when the last one is gone.
    ///
    /// At `deadline` what is still sent is cut; a second later nothing is waited for any more.
    func drain(by deadline: Instant, whenDone: @escaping () -> Void) {
        guard !isDraining else { return whenDone() }
        isDraining = true
        isFullForGood.store(true, ordering: .sequentiallyConsistent)
        whenDrained = whenDone
        for acceptor in acceptors {
            acceptor.stop()
            acceptor.listener.refuse()
        }
        acceptors = []
        for connection in byAge {
            connection.endSoon(patience: Self.firstRequestPatience)
        }
        let left = deadline - loop.now
        loop.timer(after: left) { [self] in
            for connection in byAge { connection.abort() }
        }
        loop.timer(after: left + .seconds(1)) { [self] in finishDrain() }
        finishDrainIfEmpty()
    }

    private func finishDrainIfEmpty() {
        if isDraining, held.load(ordering: .sequentiallyConsistent) == 0 { finishDrain() }
    }

    private func finishDrain() {
        // What answers came from is let go with the last connection.
        repeated.forget()
        let done = whenDrained
        whenDrained = nil
        done?()
    }
}
