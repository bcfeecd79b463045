import Linux
import Reactor
import TLS

/// How a connection becomes an encrypted one, and stops being it.
extension ClientSocket {
    enum Greeting: Equatable {
        /// The first byte is that of a TLS handshake.
        case hello
        /// It is something else.
        case plain
        case nothingYet
        case ended
    }

    /// Looks at the first byte without taking it.
    func greeting() -> Greeting {
        do throws(Errno) {
            switch try System.peekByte(raw) {
            case .byte(let byte): return byte == 0x16 ? .hello : .plain
            case .wouldBlock:
                readiness.clearReadable()
                return .nothingYet
            case .ended: return .ended
            }
        } catch {
            return .ended
        }
    }

    /// Begins a handshake; nil without memory.
    func newSession(_ context: TLSContext) -> TLSSession? { TLSSession(context, over: raw) }

    /// From now on everything goes through `session`, whose handshake is done.
    func encrypt(by session: TLSSession) {
        channel = EncryptedChannel(session, piece: state.piece)
    }

    /// Gives the session up without a word, so that the client sees that something is missing.
    func cutStream() {
        channel = nil
    }

    /// Tells the client that nothing was cut off, before our direction ends (RFC 8446 §6.1).
    func endStream(within time: Duration) async {
        guard let channel else { return }
        let deadline = loop.now + time
        while !isGone && !channel.sayGoodbye() {
            readiness.clearWritable()
            if await readiness.untilWritable(by: deadline) == .timedOut { break }
        }
        self.channel = nil
    }

    /// Suspends until receiving is worth another try, or `deadline` has passed.
    func untilReceivable(by deadline: Instant?) async -> Readiness.Outcome {
        guard let channel, channel.receivingWaitsForRoom else {
            return await readiness.untilReadable(by: deadline)
        }
        readiness.clearWritable()
        return await readiness.untilWritable(by: deadline)
    }

    /// Waits for what the last transfer of an encrypted connection lacked.
    func untilSendable(_ channel: EncryptedChannel) async throws(Cut) {
        switch channel.sendWait {
        case .room: try await untilWritable()
        case .input:
            readiness.clearReadable()
            let outcome = await readiness.untilReadable(by: loop.now + stallTimeout)
            guard outcome == .ready else { throw .stalled }
        case .pages(let file, let start, let count):
            await state.workers?.run { System.warm(file, start, start + Int64(count)) }
            channel.readsWhateverItTakes = true
        }
    }
}
