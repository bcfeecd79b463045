import Glibc
import Linux
import TLS

/// What stands between a connection and its socket where the listener speaks TLS.
///
/// It has the socket's own calls, and says what must be waited for where one would block: with TLS
/// that is not always what the call's name says. Not Sendable: it lives on its connection's loop.
final class EncryptedChannel {
    /// What a transfer that would have blocked waits for.
    enum Wait: Equatable {
        /// The client has to send something.
        case input
        /// The client has to take something.
        case room
        /// Part of a file is not in memory.
        case pages(file: Int32, from: Int64, count: Int)
    }

    /// One read and at most as many records of TLS: of what is read and not sent little is lost.
    static let pieceBytes = 64 << 10

    private let session: TLSSession
    /// Shared by the loop's connections; nothing is in it between two calls.
    private let piece: UnsafeMutableRawBufferPointer
    private(set) var sendWait = Wait.room
    /// Whether receiving waits for the client to take something first.
    private(set) var receivingWaitsForRoom = false
    /// The pages were brought in and are gone again: now they are waited for.
    var readsWhateverItTakes = false

    init(_ session: TLSSession, piece: UnsafeMutableRawBufferPointer) {
        self.session = session
        self.piece = piece
    }

    /// Receives without waiting; `.bytes(0)` is the client's end.
    func receive(_ buffer: UnsafeMutableRawBufferPointer) -> Transferred {
        receivingWaitsForRoom = false
        switch session.receive(buffer) {
        case .done(let count): return .bytes(count)
        case .wantsRead: return .wouldBlock
        case .wantsWrite:
            receivingWaitsForRoom = true
            return .wouldBlock
        case .ended, .failed: return .bytes(0)
        }
    }

    /// Sends as much as the kernel takes at once.
    func send(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Transferred {
        guard !bytes.isEmpty else { return .bytes(0) }
        return try transferred(session.send(bytes), "SSL_write")
    }

    /// Sends bytes of a file: the kernel does, or a piece is read and sent.
    func sendFile(_ file: Int32, from offset: Int64, count: Int) throws(Errno) -> Transferred {
        if session.sendsFiles {
            return try transferred(
                session.sendFile(file, from: offset, count: count), "sendfile")
        }
        // Read again where the last piece could not be sent whole: no connection keeps one.
        let room = UnsafeMutableRawBufferPointer(rebasing: piece[..<min(count, piece.count)])
        let read: Int
        if readsWhateverItTakes {
            readsWhateverItTakes = false
            read = try System.pread(file, room, at: offset)
        } else {
            switch try System.readResident(file, room, at: offset) {
            case .bytes(let count): read = count
            case .cold:
                sendWait = .pages(file: file, from: offset, count: room.count)
                return .wouldBlock
            }
        }
        return try send(UnsafeRawBufferPointer(rebasing: room[..<read]))
    }

    /// Says that nothing was cut off; false until the client has taken something.
    func sayGoodbye() -> Bool { session.sayGoodbye() != .wantsWrite }

    private func transferred(
        _ outcome: TLSSession.Outcome, _ call: String
    ) throws(Errno) -> Transferred {
        switch outcome {
        case .done(let count): return .bytes(count)
        case .wantsRead: sendWait = .input
        case .wantsWrite: sendWait = .room
        case .ended: throw Errno(EPIPE, call)
        case .failed(let code): throw Errno(code, call)
        }
        return .wouldBlock
    }
}
