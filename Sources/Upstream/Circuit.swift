import Reactor

/// Closed, open for a while, or open but for one probe: what a breaker switches.
struct Circuit: Sendable {
    private enum State {
        case closed
        case open(until: Instant)
        /// One request is under way to find out whether things are better.
        case probing
    }

    /// What becomes of a request.
    enum Admission: Equatable {
        case admitted
        /// Admitted as the one whose outcome decides.
        case probe
        case refused(retryAfter: Duration)
    }

    private let pauses: ClosedRange<Duration>
    private var state = State.closed
    /// How long the circuit stays open the next time.
    private var pause: Duration

    /// `pauses` are the first pause and the longest.
    init(pauses: ClosedRange<Duration>) {
        self.pauses = pauses
        pause = pauses.lowerBound
    }

    var isClosed: Bool { if case .closed = state { true } else { false } }
    var isProbing: Bool { if case .probing = state { true } else { false } }

    /// Decides about a request; whoever is told `probe` must report how it ended.
    mutating func admit(at now: Instant) -> Admission {
        switch state {
        case .closed: return .admitted
        case .probing: return .refused(retryAfter: .seconds(1))
        case .open(let until) where until > now: return .refused(retryAfter: until - now)
        case .open:
            state = .probing
            return .probe
        }
    }

    /// Opens for the next pause, which doubles each time, and says how long that is.
    mutating func open(at now: Instant) -> Duration {
        let length = pause
        state = .open(until: now + length)
        pause = min(length * 2, pauses.upperBound)
        return length
    }

    /// The probe ended without saying anything: the next request is one.
    mutating func probeSaidNothing(at now: Instant) {
        state = .open(until: now)
    }

    mutating func close() {
        self = Circuit(pauses: pauses)
    }
}
