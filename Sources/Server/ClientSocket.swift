import Glibc
import Linux
import Reactor

/// A client's socket as a connection's straight-line code uses it: wait, receive, send.
///
/// Not Sendable: it lives on its loop. All sending goes through one loop, which knows about the
/// turn that others are due, and about clients that take nothing any more.
final class ClientSocket {
    typealias Cut = ResponseOutcome.Cut

    let loop: EventLoop
    let readiness: Readiness
    private var descriptor: FileDescriptor?
    let raw: Int32
    let stallTimeout: Duration
    let state: ServerLoop
    /// Encrypts and decrypts; nil where the bytes go as they are.
    var channel: EncryptedChannel?
    /// Bytes handed to the kernel over the life of the connection.
    private(set) var written: Int64 = 0
    /// When the first byte since `startAnswer` was handed to the kernel.
    private(set) var firstByte: Instant?
    private var awaitsFirstByte = false
    private var turnBytes = 0
    private var unsentBytesMax: Int32?
    /// The drain's bound passed: everything fails from now on.
    private(set) var isAborted = false

    /// Takes over `raw`, which is closed here if it cannot be watched.
    init(owning raw: Int32, in state: ServerLoop) throws(Errno) {
        let descriptor = FileDescriptor(owning: raw)
        readiness = try Readiness(raw, on: state.loop)
        self.descriptor = consume descriptor
        self.raw = raw
        self.state = state
        loop = state.loop
        stallTimeout = state.limits.writeStallTimeout
    }

    /// Ends the registration and closes the descriptor.
    func close() {
        readiness.close()
        descriptor = nil
    }

    /// Makes every wait and transfer fail at once: the drain's bound has passed.
    func abort() {
        isAborted = true
        if descriptor != nil { System.shutdownBoth(raw) }
    }

    /// Has nothing but full packets go out until it is ended: a short one behind each slice of a
    /// long body costs as much as a long one.
    func holdShortPackets(_ isHeld: Bool) {
        if descriptor != nil { System.setCork(raw, isHeld) }
    }

    /// Bounds what waits in the kernel to be sent; nil for its own bound.
    func limitUnsent(to bytes: Int32?) {
        guard bytes != unsentBytesMax else { return }
        unsentBytesMax = bytes
        System.setUnsentMax(raw, bytes ?? .max)
    }

    /// Whether bytes are encrypted on their way.
    var isEncrypted: Bool { channel != nil }

    /// Whether the client cannot be sent anything any more.
    var isGone: Bool { isAborted || readiness.isHungUp }

    /// Why nothing more can be sent.
    var goneReason: Cut { isAborted ? .drained : .clientGone }

    // MARK: - Receiving

    enum Received: Equatable {
        case bytes(Int)
        case nothingYet
        case ended
    }

    /// Receives what is there without waiting.
    func receive(into input: InputBuffer) -> Received {
        do throws(Errno) {
            var wouldBlock = false
            let (received, room) = try input.append { (buffer) throws(Errno) -> Int in
                switch try take(buffer) {
                case .bytes(let count): return count
                case .wouldBlock:
                    wouldBlock = true
                    return 0
                }
            }
            // A short read has emptied the kernel's queue: no second call just to hear EAGAIN.
            // One record of TLS says nothing about the next.
            if wouldBlock || received < room && channel == nil { noteEmptied() }
            if wouldBlock { return .nothingYet }
            return received == 0 ? .ended : .bytes(received)
        } catch {
            return .ended
        }
    }

    private func take(_ buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Transferred {
        if let channel { return channel.receive(buffer) }
        return try System.receive(raw, buffer)
    }

    private func noteEmptied() {
        if channel?.receivingWaitsForRoom != true { readiness.clearReadable() }
    }

    // MARK: - Sending

    /// Starts the clock of an answer's first byte.
    func startAnswer() {
        firstByte = nil
        awaitsFirstByte = true
    }

    /// Sends as much of `bytes` as the kernel takes at once and says how much that was.
    ///
    /// Most answers are sent whole by this, without any cost of asynchronous calls.
    func sendNow(_ bytes: [UInt8], more: Bool) throws(Cut) -> Int {
        try bytes.withUnsafeBufferPointer { (buffer) throws(Cut) -> Int in
            try sendNow(UnsafeRawBufferPointer(buffer), more: more)
        }
    }

    /// The same for bytes that are nobody's array.
    func sendNow(_ bytes: UnsafeRawBufferPointer, more: Bool = false) throws(Cut) -> Int {
        if isAborted { throw .drained }
        let result = try result(of: 0) { (_) throws(Errno) -> Transferred in
            try put(bytes, more: more)
        }
        guard case .bytes(let sent) = result else { return 0 }
        noteProgress(sent)
        return sent
    }

    /// Sends all of `bytes` from `start`; with `more` the kernel may wait for what follows.
    func send(_ bytes: [UInt8], from start: Int = 0, more: Bool = false) async throws(Cut) {
        try await transfer(bytes.count - start) { (offset) throws(Errno) -> Transferred in
            try bytes.withUnsafeBufferPointer { (buffer) throws(Errno) -> Transferred in
                let rest = UnsafeRawBufferPointer(
                    UnsafeBufferPointer(rebasing: buffer[(start + offset)...]))
                return try put(rest, more: more)
            }
        }
    }

    /// Sends all bytes of `chunk` up to `count`.
    func send(_ chunk: Chunk, count: Int, more: Bool) async throws(Cut) {
        try await transfer(count) { (offset) throws(Errno) -> Transferred in
            try chunk.withBytes { (buffer) throws(Errno) -> Transferred in
                let rest = UnsafeRawBufferPointer(rebasing: buffer[offset..<count])
                return try put(rest, more: more)
            }
        }
    }

    /// Sends `count` bytes of a file by sendfile; a file that ends before that is a bad source.
    func sendFile(_ file: Int32, from start: Int64, count: Int) async throws(Cut) {
        try await transfer(count) { (offset) throws(Errno) -> Transferred in
            let position = start + Int64(offset)
            return try putFile(file, position, min(count - offset, state.sliceBytes))
        }
    }

    /// Sends as much of a file's range as the kernel takes at once and says how much that was.
    func sendFileNow(_ file: Int32, from start: Int64, count: Int) throws(Cut) -> Int {
        if isAborted { throw .drained }
        let result = try result(of: 0) { (_) throws(Errno) -> Transferred in
            try putFile(file, start, count)
        }
        guard case .bytes(let sent) = result else { return 0 }
        if sent == 0 { throw .source }
        noteProgress(sent)
        return sent
    }

    private func putFile(
        _ file: Int32, _ position: Int64, _ count: Int
    ) throws(Errno) -> Transferred {
        if let channel { return try channel.sendFile(file, from: position, count: count) }
        return try System.sendfile(to: raw, from: file, offset: position, count: count)
    }

    private func put(_ bytes: UnsafeRawBufferPointer, more: Bool) throws(Errno) -> Transferred {
        if let channel { return try channel.send(bytes) }
        return try System.send(raw, bytes, more: more)
    }

    /// The one sending loop: repeats `attempt` until `count` bytes are with the kernel.
    private func transfer(
        _ count: Int, _ attempt: (_ offset: Int) throws(Errno) -> Transferred
    ) async throws(Cut) {
        var offset = 0
        while offset < count {
            if isAborted { throw .drained }
            switch try result(of: offset, attempt) {
            case .wouldBlock:
                if let channel {
                    try await untilSendable(channel)
                } else {
                    try await untilWritable()
                }
            case .bytes(0): throw .source
            case .bytes(let sent):
                offset += sent
                noteProgress(sent)
                if turnBytes >= state.sliceBytes { await endTurn() }
            }
        }
    }

    private func result(
        of offset: Int, _ attempt: (_ offset: Int) throws(Errno) -> Transferred
    ) throws(Cut) -> Transferred {
        do throws(Errno) {
            return try attempt(offset)
        } catch {
            // EIO and its like come from the file; everything else says that the client is gone.
            if error.isOfFile { throw .source }
            throw goneReason
        }
    }

    private func noteProgress(_ sent: Int) {
        written &+= Int64(sent)
        turnBytes &+= sent
        guard awaitsFirstByte else { return }
        awaitsFirstByte = false
        firstByte = loop.now
    }

    /// Lets the loop's other connections send before this one goes on (prototypes.md §5).
    func endTurn() async {
        turnBytes = 0
        await loop.yield()
    }

    /// Waits for room; throws when the client has taken nothing for the stall time (RES-5).
    ///
    /// The kernel reports room only once a good part of its queue is free, so a slow client is
    /// recognised by a queue that got shorter.
    func untilWritable() async throws(Cut) {
        readiness.clearWritable()
        turnBytes = 0
        var queued = System.unacknowledged(raw)
        while await readiness.untilWritable(by: loop.now + stallTimeout) == .timedOut {
            let left = System.unacknowledged(raw)
            if left >= queued { throw .stalled }
            queued = left
        }
    }

    // MARK: - Ending

    /// Resets instead of ending in order, for a body whose end would be the connection's end.
    func resetOnClose() {
        System.resetOnClose(raw)
    }

    /// Ends our direction by FIN and drops what still comes in, bounded in bytes and time.
    ///
    /// Closing with unread input would make the kernel send RST, which destroys what the client has
    /// not read yet and is fatal to containerd (clients.md 2; RFC 9112 §9.6).
    func linger(for timeout: Duration, bytesMax: Int, dropping input: InputBuffer) async {
        System.shutdownWrite(raw)
        let deadline = loop.now + timeout
        var budget = bytesMax
        while budget > 0 && !isAborted {
            input.consume(input.count)
            switch receive(into: input) {
            case .ended: return
            case .bytes(let count): budget -= count
            case .nothingYet:
                input.releaseIfEmpty()
                if await readiness.untilReadable(by: deadline) == .timedOut { return }
            }
        }
    }
}

extension Errno {
    /// Whether the file that is sent is to blame rather than the socket.
    fileprivate var isOfFile: Bool {
        ["pread", "preadv2"].contains(call) || call == "sendfile" && !isOfSocket
    }

    private var isOfSocket: Bool {
        [EPIPE, ECONNRESET, ENOTCONN, ETIMEDOUT, ECONNABORTED, EHOSTUNREACH, ENETUNREACH, ENETDOWN]
            .contains(code)
    }
}
