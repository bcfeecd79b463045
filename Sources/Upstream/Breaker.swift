package import Reactor

/// Decides whether an upstream is asked at all (UP-8): after too many failures every request is
/// refused at once, until a single probe succeeds.
///
/// A value without clock or tasks: its owner says what happened and when. What only one object can
/// be blamed for, such as a manifest that always answers 500, pauses that object alone (UP-7).
package struct Breaker: Sendable {
    /// When it opens, and for how long.
    package struct Limits: Sendable {
        package var failuresInRow = 5
        /// Of so many requests within the window half must fail.
        package var windowRequestsMin = 20
        package var windowSeconds: Int64 = 10
        package var pauseFirst: Duration = .seconds(5)
        package var pauseMax: Duration = .seconds(60)

        package init() {}
    }

    /// How an attempt that was admitted ended.
    package enum Outcome: Sendable {
        /// The upstream answered, be it with 404.
        case success
        /// The upstream as a whole failed: no address, no connection, no TLS, no token.
        case failure
        /// The request failed once it was sent: perhaps only what was asked for is to blame.
        case objectFailure
        /// Nothing about the upstream was learnt.
        case nothing
    }

    /// Permission for one attempt; to be given back with its outcome.
    package struct Pass: Sendable {
        fileprivate enum Role { case ordinary, probe, objectProbe }
        fileprivate let object: String
        fileprivate let role: Role
    }

    package enum Admission: Sendable {
        case admitted(Pass)
        case refused(retryAfter: Duration)
    }

    /// What an outcome did to the breaker, for log and metrics.
    package enum Change: Sendable, Equatable {
        case opened(Duration)
        /// A probe failed.
        case stayedOpen(Duration)
        case closed
    }

    /// What the metric shows.
    package enum State: Int, Sendable {
        case closed = 0
        case halfOpen = 1
        case open = 2
    }

    /// Objects paused by themselves at the same time.
    private static let pausedObjectsMax = 16

    private let pauses: ClosedRange<Duration>
    private var circuit: Circuit
    private var tally: FailureTally
    private var pausedObjects: [(object: String, circuit: Circuit)] = []

    package init(_ limits: Limits = Limits()) {
        pauses = limits.pauseFirst...max(limits.pauseFirst, limits.pauseMax)
        circuit = Circuit(pauses: pauses)
        tally = FailureTally(limits)
    }

    package var state: State {
        if circuit.isClosed { return .closed }
        return circuit.isProbing ? .halfOpen : .open
    }

    /// Decides about one attempt for an object; a refusal says when asking may help.
    package mutating func admit(_ object: String, at now: Instant) -> Admission {
        switch circuit.admit(at: now) {
        case .refused(let retryAfter): return .refused(retryAfter: retryAfter)
        case .probe: return .admitted(Pass(object: object, role: .probe))
        case .admitted: break
        }
        guard let index = pausedObjects.firstIndex(where: { $0.object == object }) else {
            return .admitted(Pass(object: object, role: .ordinary))
        }
        switch pausedObjects[index].circuit.admit(at: now) {
        case .refused(let retryAfter): return .refused(retryAfter: retryAfter)
        case .probe: return .admitted(Pass(object: object, role: .objectProbe))
        case .admitted: return .admitted(Pass(object: object, role: .ordinary))
        }
    }

    /// Takes the outcome of an attempt that was admitted; exactly once for each pass.
    package mutating func record(
        _ outcome: Outcome, of pass: Pass, at now: Instant
    ) -> Change? {
        if pass.role == .probe { return probed(outcome, at: now) }
        // Answers to what was asked before the breaker opened decide nothing: the probe does.
        guard circuit.isClosed else { return nil }
        switch outcome {
        case .success:
            pausedObjects.removeAll { $0.object == pass.object }
            tally.succeeded(at: now)
            return nil
        case .failure: return failed(.upstream, pass, at: now)
        case .objectFailure: return failed(.object(pass.object), pass, at: now)
        case .nothing:
            if pass.role == .objectProbe { update(pass.object) { $0.probeSaidNothing(at: now) } }
            return nil
        }
    }

    private mutating func probed(_ outcome: Outcome, at now: Instant) -> Change? {
        switch outcome {
        case .success:
            circuit.close()
            tally.forget()
            pausedObjects = []
            return .closed
        case .failure, .objectFailure: return .stayedOpen(circuit.open(at: now))
        case .nothing:
            circuit.probeSaidNothing(at: now)
            return nil
        }
    }

    private mutating func failed(
        _ culprit: Culprit, _ pass: Pass, at now: Instant
    ) -> Change? {
        if pass.role == .objectProbe { update(pass.object) { _ = $0.open(at: now) } }
        switch tally.failed(culprit, at: now) {
        case .nobody: return nil
        case .upstream:
            tally.forget()
            return .opened(circuit.open(at: now))
        case .object(let object):
            pause(object, at: now)
            return nil
        }
    }

    private mutating func pause(_ object: String, at now: Instant) {
        guard !pausedObjects.contains(where: { $0.object == object }) else { return }
        var circuit = Circuit(pauses: pauses)
        _ = circuit.open(at: now)
        pausedObjects.append((object, circuit))
        if pausedObjects.count > Self.pausedObjectsMax { pausedObjects.removeFirst() }
    }

    private mutating func update(_ object: String, _ change: (inout Circuit) -> Void) {
        guard let index = pausedObjects.firstIndex(where: { $0.object == object }) else { return }
        change(&pausedObjects[index].circuit)
    }
}
