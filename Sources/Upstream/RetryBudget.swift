import Reactor

/// How many requests may be repeated: a tenth of those sent, and a few when little is going on
/// (UP-8), so that retries never multiply the load of an upstream that is in trouble.
struct RetryBudget: Sendable {
    /// Retries earned by one request.
    private static let share = 0.1
    /// Retries that are there without any request, one more every `refill`.
    private static let floor = 3.0
    private static let refill = Duration.seconds(5)
    private static let most = 20.0

    private var tokens = RetryBudget.floor
    private var refilled: Instant

    init(at now: Instant) {
        refilled = now
    }

    /// Counts a request.
    mutating func earn() {
        tokens = min(tokens + Self.share, Self.most)
    }

    /// Takes one retry; false when there is none left.
    mutating func spend(at now: Instant) -> Bool {
        if tokens < Self.floor {
            tokens = min(Self.floor, tokens + (now - refilled).inSeconds / Self.refill.inSeconds)
        }
        refilled = now
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
