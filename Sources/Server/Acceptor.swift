import Glibc
import Linux
import Reactor
import Telemetry

/// Accepts from one listener on one loop; several loops may watch the same socket.
///
/// Not Sendable: it lives on its loop. Whatever keeps it from accepting, it waits by a timer, so
/// that a level-triggered listener never makes the loop spin (RES-6).
final class Acceptor {
    private static let pauseWhenFull: Duration = .milliseconds(50)
    private static let pauseWithoutDescriptors: Duration = .milliseconds(500)

    let listener: Listener
    private let handler: any RequestHandler
    private let state: ServerLoop
    private let burst: Int
    /// All loops that serve the listener, this one among them.
    private let loops: [ServerLoop]
    private let descriptorMax: Int32
    private let ledger: ConnectionLedger
    private var watch: Watch?
    private var resume: LoopTimer?

    /// `burst` is how many connections are accepted before others get their turn.
    init(
        _ listener: Listener, handler: any RequestHandler, in state: ServerLoop, burst: Int,
        sharing loops: [ServerLoop]
    ) {
        self.loops = loops
        self.listener = listener
        self.handler = handler
        self.state = state
        self.burst = burst
        ledger = listener.ownLedger ?? state.ledger
        let limit = System.descriptorLimit
        let reserved = min(state.limits.descriptorsReserved, limit / 4)
        descriptorMax = Int32(clamping: limit - reserved)
    }

    func start() throws(Errno) {
        watch = try state.loop.watch(listener.descriptor.raw, [.read, .exclusive]) {
            // The cycle keeps a serving server alive; `stop` breaks it.
            [self] _ in acceptReady()
        }
    }

    func stop() {
        watch?.cancel()
        watch = nil
        resume?.cancel()
        resume = nil
    }

    private func pause(for time: Duration) {
        stop()
        resume = state.loop.timer(after: time) { [self] in
            do throws(Errno) {
                try start()
            } catch {
                pause(for: Self.pauseWithoutDescriptors)
            }
        }
    }

    private func acceptReady() {
        for count in 0..<burst {
            if ledger.isFull {
                // Only the event itself says that somebody waits; if more do, it comes again.
                return count == 0 ? makeRoom() : ()
            }
            do throws(Errno) {
                guard let (raw, peer) = try System.accept(listener.descriptor.raw) else { return }
                admit(FileDescriptor(owning: raw), peer)
            } catch {
                if Self.isPassing(error.code) { continue }
                return lackDescriptors()
            }
            if watch == nil { return }
        }
    }

    /// The client's own end or the network's, not ours: the next connection may be fine.
    private static func isPassing(_ code: Int32) -> Bool {
        ![EMFILE, ENFILE, ENOBUFS, ENOMEM, EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP].contains(code)
    }

    /// Ends connections that nobody misses, whose places are free in the next turn; else waits.
    private func makeRoom() {
        guard !state.makeRoom(countedIn: ledger) else { return }
        state.events.rejected(.connections, listener.identity)
        pause(for: Self.pauseWhenFull)
    }

    /// Nothing can be accepted before descriptors are free again.
    private func lackDescriptors() {
        state.events.rejected(.descriptors, listener.identity)
        let makesRoom = state.makeRoom(countedIn: ledger)
        pause(for: makesRoom ? Self.pauseWhenFull : Self.pauseWithoutDescriptors)
    }

    private func admit(_ descriptor: consuming FileDescriptor, _ peer: SocketAddress) {
        guard descriptor.raw < descriptorMax else {
            turnAway(descriptor.raw)
            return lackDescriptors()
        }
        let address = ConnectionLedger.Address(peer)
        if let reason = ledger.admit(address) {
            state.events.rejected(reason, listener.identity)
            return turnAway(descriptor.raw)
        }
        guard let state = taker() else {
            ledger.release(address)
            return turnAway(descriptor.raw)
        }
        let raw = descriptor.release()
        state.loop.spawn { [state, listener, handler] in
            await Connection.serve(
                raw, peer: peer, address: address, listener: listener, handler: handler, in: state)
        }
    }

    /// The loop that has the fewest connections: the kernel wakes one of them again and again.
    private func taker() -> ServerLoop? {
        var fewest = state
        for other in loops where other.connectionCount < fewest.connectionCount { fewest = other }
        if fewest.arrived() { return fewest }
        return state.arrived() ? state : nil
    }

    /// Tells the client to go elsewhere; containerd then takes the next host (protocol.md §3.9).
    ///
    /// Nothing that could be said without a handshake is understood where TLS is spoken.
    private func turnAway(_ raw: Int32) {
        guard !listener.identity.isSecure else { return }
        let text = """
            HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n\
            Content-Length: 0\r\n\r\n
            """
        _ = Array(text.utf8).withUnsafeBytes { bytes in try? System.send(raw, bytes, more: false) }
    }
}
