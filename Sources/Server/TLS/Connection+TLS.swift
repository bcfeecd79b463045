import Reactor
import TLS
import Telemetry

/// What comes before the first request where the listener speaks TLS.
///
/// It counts as part of the first head: the time runs from accept, and who is slow is the first to
/// make room (RES-5, RES-6).
extension Connection {
    /// Shakes hands; false if the connection is over, with everything said.
    func shakeHands(_ context: TLSContext) async -> Bool {
        let deadline = accepted + state.limits.headerTimeout
        while true {
            switch socket.greeting() {
            case .hello: return await shakeHands(context, by: deadline)
            case .plain:
                state.events.rejected(.plainHTTP, listener.identity)
                try? await socket.send(Self.answerToPlain)
                await linger()
                return false
            case .ended: return false
            case .nothingYet:
                guard await wait(for: .wantsRead, by: deadline) else { return false }
            }
        }
    }

    private func shakeHands(_ context: TLSContext, by deadline: Instant) async -> Bool {
        guard let session = socket.newSession(context) else { return false }
        while true {
            let outcome = session.handshake()
            switch outcome {
            case .done:
                socket.encrypt(by: session)
                return true
            case .wantsRead: socket.readiness.clearReadable()
            case .wantsWrite: socket.readiness.clearWritable()
            case .ended, .failed:
                // FIN, so that the alert arrives.
                noteFailure(session.reason)
                await linger()
                return false
            }
            guard await wait(for: outcome, by: deadline) else {
                state.events.rejected(.headerTimeout, listener.identity)
                return false
            }
        }
    }

    /// Who is flooded with them need not read all of them (RES-6).
    private func noteFailure(_ reason: String) {
        state.events.rejected(.tlsHandshake, listener.identity)
        guard state.mayNoteHandshake() else { return }
        state.events.handshakeFailed(reason, peer, listener.identity)
    }

    /// Waits for the client's next step; false if nothing more is to be waited for.
    private func wait(for outcome: TLSSession.Outcome, by deadline: Instant) async -> Bool {
        if isOver(whileIdle: true) { return false }
        setIdle(true)
        defer { setIdle(false) }
        let bound = min(deadline, lastChance ?? deadline)
        let waited =
            outcome == .wantsWrite
            ? await socket.readiness.untilWritable(by: bound)
            : await socket.readiness.untilReadable(by: bound)
        return waited == .ready || (isEnding && state.loop.now < bound)
    }

    /// Who leaves out the s is told so in words that it can read.
    private static let answerToPlain: [UInt8] = {
        let text = "This port speaks HTTPS: use https://.\n"
        let head = """
            HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Length: \(text.utf8.count)\r\nConnection: close\r\n\r\n
            """
        return Array((head + text).utf8)
    }()
}
