import Reactor

/// What a failure is laid to: one object alone, or the upstream as a whole.
enum Culprit: Sendable, Equatable {
    case nobody
    case object(String)
    case upstream

    /// Who is to blame for both: two different objects make it the upstream.
    func joined(_ other: Culprit) -> Culprit {
        if self == .nobody { return other }
        if other == .nobody || self == other { return self }
        return .upstream
    }
}

/// Counts successes and failures of an upstream: those in a row and those of the last seconds.
struct FailureTally: Sendable {
    private struct Second: Sendable {
        var number: Int64
        var requests = 0
        var failures = 0
        var culprit = Culprit.nobody
    }

    private let limits: Breaker.Limits
    private var inRow = 0
    private var rowCulprit = Culprit.nobody
    private var seconds: [Second] = []

    init(_ limits: Breaker.Limits) {
        self.limits = limits
    }

    mutating func succeeded(at now: Instant) {
        inRow = 0
        rowCulprit = .nobody
        update(now) { $0.requests += 1 }
    }

    /// Counts a failure and says who has failed too often by now, if anybody.
    mutating func failed(_ culprit: Culprit, at now: Instant) -> Culprit {
        inRow += 1
        rowCulprit = rowCulprit.joined(culprit)
        update(now) { second in
            second.requests += 1
            second.failures += 1
            second.culprit = second.culprit.joined(culprit)
        }
        var blamed = inRow >= limits.failuresInRow ? rowCulprit : .nobody
        let requests = seconds.reduce(0) { $0 + $1.requests }
        let failures = seconds.reduce(0) { $0 + $1.failures }
        if requests >= limits.windowRequestsMin, failures * 2 >= requests {
            blamed = seconds.reduce(blamed) { $0.joined($1.culprit) }
        }
        return blamed
    }

    mutating func forget() {
        self = FailureTally(limits)
    }

    private mutating func update(_ now: Instant, _ change: (inout Second) -> Void) {
        let number = now.nanoseconds / 1_000_000_000
        seconds.removeAll { $0.number <= number - limits.windowSeconds }
        if seconds.last?.number != number { seconds.append(Second(number: number)) }
        if var last = seconds.popLast() {
            change(&last)
            seconds.append(last)
        }
    }
}
