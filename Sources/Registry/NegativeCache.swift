import Reactor

/// Errors that are believed for a while, so that a missing name costs its upstream little (UP-5).
struct NegativeCache<Key: Hashable & Sendable> {
    private struct Entry {
        let error: RegistryError
        let until: Instant
    }

    /// Entries kept; the least recently asked goes first (RES-7).
    static var entriesMax: Int { 10_000 }

    private var entries = RecencyCache<Key, Entry>(costMax: NegativeCache.entriesMax)

    /// The error still believed for `key`.
    mutating func error(for key: Key, at now: Instant) -> RegistryError? {
        guard let entry = entries.use(key) else { return nil }
        if entry.until > now { return entry.error }
        entries.remove(key)
        return nil
    }

    mutating func remember(_ error: RegistryError, for key: Key, until: Instant) {
        entries.insert(Entry(error: error, until: until), for: key)
    }

    mutating func forget(_ key: Key) {
        entries.remove(key)
    }
}

/// How long an upstream that said 429 is left alone.
enum RateLimitPause {
    /// Asked for when the upstream names no time.
    static let standard = Duration.seconds(60)
    private static let range = Duration.seconds(1)...Duration.seconds(900)

    /// `Retry-After` within 1 s to 15 min (UP-5).
    static func clamp(_ retryAfter: Duration?) -> Duration {
        let asked = retryAfter ?? standard
        return min(max(asked, range.lowerBound), range.upperBound)
    }
}
