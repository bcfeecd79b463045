package import Linux
package import Reactor
import Synchronization

/// The HTTP/1.1 server: listeners and connections on any number of loops.
///
/// Every loop watches every listener, and whichever accepts a connection gives it to the one that
/// has the fewest, where it stays. The limits on connections hold for all loops together.
package final class Server: Sendable {
    /// Connections one loop accepts at a time: few where other loops could take them as well.
    private static let burstAlone = 16
    private static let burstOfMany = 2

    private let loops: [ServerLoop]
    private let ledger: ConnectionLedger

    /// `workers` read cold files ahead of sendfile; without them a cold page blocks its loop.
    ///
    /// `seed` makes request ids and boundaries: given in simulations only.
    package init(
        loops: [EventLoop], workers: WorkerPool?, limits: ServerLimits = ServerLimits(),
        events: ServerEvents = ServerEvents(), seed: UInt64 = .random(in: 0 ... .max)
    ) {
        let ledger = ConnectionLedger(
            totalMax: limits.connectionsMax, perAddressMax: limits.connectionsPerAddressMax)
        self.ledger = ledger
        var seeds = SeededGenerator(seed: seed)
        self.loops = loops.map {
            ServerLoop(
                loop: $0, limits: limits, workers: workers, events: events, ledger: ledger,
                seed: seeds.next())
        }
    }

    /// Connections that are open now, of all listeners.
    package var openConnections: Int { ledger.total }

    /// Starts accepting from `listener` on every loop; `handler` answers.
    package func serve(_ listener: Listener, by handler: any RequestHandler) async throws(Errno) {
        let burst = loops.count == 1 ? Self.burstAlone : Self.burstOfMany
        for state in loops {
            let result = await Self.on(state) { [loops] state -> Result<Void, Errno> in
                Result { () throws(Errno) in
                    try state.accept(from: listener, by: handler, burst: burst, sharing: loops)
                }
            }
            try result.get()
        }
    }

    /// Stops accepting from `listener`; its idle connections end now, the others after their
    /// answer.
    package func stopAccepting(from listener: Listener) async {
        for state in loops {
            await Self.on(state) { $0.stopAccepting(from: listener) }
        }
    }

    /// Stops accepting, ends idle connections at once and lets answers finish for up to `bound`.
    ///
    /// Then they are cut. Returns when no connection is left, or a second after the bound (OPS-1).
    package func drain(within bound: Duration) async {
        guard !loops.isEmpty else { return }
        await withUnsafeContinuation { (done: UnsafeContinuation<Void, Never>) in
            let left = LoopCount(loops.count)
            for state in loops {
                state.loop.post {
                    state.drain(by: state.loop.now + bound) {
                        if left.countDown() { done.resume() }
                    }
                }
            }
        }
    }

    private static func on<T: Sendable>(
        _ state: ServerLoop, _ body: @escaping @Sendable (ServerLoop) -> T
    ) async -> T {
        await withUnsafeContinuation { continuation in
            state.loop.post { continuation.resume(returning: body(state)) }
        }
    }
}

/// How many loops have not reported yet.
private final class LoopCount: Sendable {
    private let left: Atomic<Int>

    init(_ count: Int) {
        left = Atomic(count)
    }

    /// Counts one off; true for the last.
    func countDown() -> Bool {
        left.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0
    }
}
