import Reactor

/// What an upstream lets itself be asked: pauses it has demanded, and pulls it has left.
///
/// A pure value; one belongs to one upstream and its credentials, since that is whom an upstream
/// counts.
struct RequestBudget {
    /// What upstreams limit apart from each other: Docker Hub counts manifests and no blobs, and
    /// blobs come from other servers.
    enum Kind: CaseIterable {
        case manifest, blob, list
    }

    /// Below this many pulls, or this share of the limit, the rest is for what nobody has yet.
    static let sparedPulls = 5
    static let sparedShare = 10
    /// Asked for when the upstream names no time.
    static let standardPause = Duration.seconds(60)
    /// `Retry-After` is obeyed within these bounds (UP-5).
    static let pauses = Duration.seconds(1)...Duration.seconds(900)
    /// How long a count is believed when the upstream names no window.
    static let standardWindow = Duration.seconds(6 * 3600)

    private var pausedUntil: [Kind: Instant] = [:]
    private var pullsLeft: Int?
    private var pullsSpared = RequestBudget.sparedPulls
    private var believedUntil: Instant?

    /// How long nothing of `kind` may be sent, nil when it may.
    mutating func pause(of kind: Kind, at now: Instant) -> Duration? {
        guard let until = pausedUntil[kind] else { return nil }
        if until > now { return until - now }
        pausedUntil[kind] = nil
        return nil
    }

    /// How many pulls are left, if they are too few for what can wait; nil when there are enough.
    mutating func scarcePulls(at now: Instant) -> Int? {
        guard let pullsLeft, let believedUntil, pullsLeft < pullsSpared else { return nil }
        if believedUntil > now { return pullsLeft }
        self.pullsLeft = nil
        return nil
    }

    /// Takes a 429; `kind` is nil when nothing at all may be asked, as without a token.
    ///
    /// Returns the end of the pause. One that runs already is never shortened.
    mutating func limited(
        _ kind: Kind?, retryAfter: Duration?, at now: Instant
    ) -> Instant {
        let asked = retryAfter ?? Self.standardPause
        let until = now + min(max(asked, Self.pauses.lowerBound), Self.pauses.upperBound)
        for kind in kind.map({ [$0] }) ?? Kind.allCases {
            pausedUntil[kind] = max(pausedUntil[kind] ?? until, until)
        }
        return until
    }

    /// Takes what an answer says about pulls left.
    mutating func take(_ limit: RateLimit, at now: Instant) {
        guard let remaining = limit.remaining, remaining >= 0 else { return }
        pullsLeft = remaining
        // A limit of a handful is not all reserve.
        let allowed = limit.limit.flatMap { $0 > 0 ? $0 : nil }
        let most = allowed.map { max(1, $0 / 2) } ?? .max
        pullsSpared = min(max(Self.sparedPulls, (allowed ?? 0) / Self.sparedShare), most)
        let window = limit.windowSeconds.flatMap { $0 > 0 ? Duration.seconds($0) : nil }
        believedUntil = now + min(window ?? Self.standardWindow, .seconds(86_400))
    }
}

extension RequestBudget.Kind {
    init(_ resource: UpstreamRequest.Resource) {
        switch resource {
        case .manifest: self = .manifest
        case .blob: self = .blob
        case .tags, .referrers, .next: self = .list
        }
    }
}
