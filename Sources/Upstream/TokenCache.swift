import Reactor

/// What a token was issued for; one cache belongs to one upstream and its credentials (CRED-2).
struct TokenKey: Hashable, Sendable {
    var realm: RemoteURL
    var service: String?
    /// Space-separated scopes, as sent.
    var scope: String
}

/// Tokens by what they were issued for, and refusals: a bounded LRU (RES-7).
///
/// A pure value.
struct TokenCache {
    enum Found: Equatable {
        case token(String)
        /// Refused with this status not long ago.
        case denied(status: Int)
        case nothing
    }

    private enum Content {
        case token(String)
        case denied(status: Int)
    }

    private struct Entry {
        var content: Content
        /// From here on the entry is as good as absent.
        var expires: Instant
        var used: UInt64
    }

    /// How long a refusal is believed (CRED-8, UP-5).
    static let denialLife = Duration.seconds(60)

    private let entriesMax: Int
    private var entries: [TokenKey: Entry] = [:]
    private var uses: UInt64 = 0

    init(entriesMax: Int) {
        self.entriesMax = entriesMax
    }

    mutating func find(_ key: TokenKey, at now: Instant) -> Found {
        guard let entry = entries[key] else { return .nothing }
        guard now < entry.expires else {
            entries[key] = nil
            return .nothing
        }
        uses &+= 1
        entries[key]?.used = uses
        switch entry.content {
        case .token(let token): return .token(token)
        case .denied(let status): return .denied(status: status)
        }
    }

    /// Keeps a token for 90 % of its life, counted from when it was asked for (CRED-8).
    mutating func store(_ token: String, for key: TokenKey, life: Duration, askedAt: Instant) {
        insert(.token(token), for: key, until: askedAt + life * 9 / 10)
    }

    /// Believes a refusal for a while.
    mutating func deny(_ key: TokenKey, status: Int, at now: Instant) {
        insert(.denied(status: status), for: key, until: now + Self.denialLife)
    }

    /// Drops a token that was refused, unless a newer one has taken its place.
    mutating func drop(_ token: String, for key: TokenKey) {
        if case .token(token) = entries[key]?.content { entries[key] = nil }
    }

    private mutating func insert(_ content: Content, for key: TokenKey, until expires: Instant) {
        if entries[key] == nil, entries.count >= entriesMax,
            let oldest = entries.min(by: { $0.value.used < $1.value.used })?.key
        {
            entries[oldest] = nil
        }
        uses &+= 1
        entries[key] = Entry(content: content, expires: expires, used: uses)
    }
}
