import Upstream

/// Why a repository gives no content; translated to HTTP by the API alone.
package enum RegistryError: Error, Sendable {
    /// The upstream, or every member of a group, says that it does not exist.
    case notFound
    /// The upstream refuses: wrong or missing credentials, or nothing there for us to see.
    case denied(registry: String, status: Int)
    /// Nobody pushed it to the group, and the upstream of another member refuses: to whoever is
    /// about to push it that is no refusal.
    case notHere(registry: String, status: Int)
    /// The configuration does not let this name be asked for (AUTH-10).
    case notAllowed(registry: String)
    /// The upstream's request limit is used up.
    case limited(registry: String, retryAfter: Duration)
    /// Not asked for, since the upstream lets us pull only so many more and an older copy does.
    case spared(registry: String, left: Int)
    /// The upstream, such as a cache in front of a limited one, asks to come back later.
    case busy(registry: String, retryAfter: Duration)
    /// The upstream could not be asked.
    case unreachable(registry: String, Unreachable)
    /// The upstream failed too often and is left alone for a while (UP-8); nothing was sent.
    case resting(registry: String, retryAfter: Duration, cause: String)
    /// Not stored, and the upstream is never asked.
    case offline(registry: String)
    /// The upstream answered with a status that is no answer.
    case failing(registry: String, status: Int)
    /// What the upstream sent is not what its digest, length or type promise (INT-1, INT-8).
    case corrupt(registry: String, String)
    /// No answer within the bound; the work goes on for the next client (UP-2).
    case timedOut(registry: String)
    /// A resumed body after a mismatch, which must not be completed with other bytes (INT-4).
    case rangeOfCorrupt
    /// The repository is too busy or its storage is out of order.
    case unavailable(String)
}

/// What kept an upstream from answering, in words.
package struct Unreachable: Error, Sendable {
    package let text: String
    /// The metric label of the cause.
    package let reason: String
    package let isTimeout: Bool

    init(_ error: UpstreamError) {
        text = error.description
        reason = error.reason
        switch error {
        case .timeout, .elsewhere(.timeout): isTimeout = true
        default: isTimeout = false
        }
    }
}

extension RegistryError {
    /// Whether this says nothing about the content: somebody else, or a stale copy, may help.
    package var isTrouble: Bool {
        switch self {
        case .notFound, .denied, .notHere, .notAllowed: false
        default: true
        }
    }

    /// Whether there is no such thing, as far as can be known.
    var isAbsence: Bool {
        switch self {
        case .notFound, .offline: true
        default: false
        }
    }

    /// Whether the upstream was not asked because it never is.
    var isOffline: Bool {
        if case .offline = self { true } else { false }
    }

    /// The metric and log word for the cause.
    package var reason: String {
        switch self {
        case .notFound: "not_found"
        case .denied, .notHere, .notAllowed: "denied"
        case .limited: "rate_limited"
        case .spared: "few_pulls_left"
        case .busy: "http_503"
        case .unreachable(_, let cause): cause.reason
        case .resting: "breaker_open"
        case .offline: "offline"
        case .failing(_, let status): "http_\(status)"
        case .corrupt: "digest_mismatch"
        case .timedOut: "timeout"
        case .rangeOfCorrupt: "digest_mismatch"
        case .unavailable: "unavailable"
        }
    }
}

/// The result of a fetch that many may wait for.
package typealias Fetched<Value: Sendable> = Result<Value, RegistryError>

extension UpstreamError {
    /// What the upstream's failure means for the content that was asked for.
    func registryError(of registry: String) -> RegistryError {
        switch self {
        case .tokenDenied(let status): .denied(registry: registry, status: status)
        case .tooManyRequests(let retryAfter):
            .limited(registry: registry, retryAfter: RateLimitPause.clamp(retryAfter))
        case .spared(let left): .spared(registry: registry, left: left)
        case .badResponse(let text): .corrupt(registry: registry, text)
        case .tooLarge(let limit):
            .corrupt(registry: registry, "the answer exceeds \(limit) bytes")
        case .overloaded, .timeout(.queue):
            .unavailable("too many requests to \(registry) at once")
        case .offline: .offline(registry: registry)
        case .breakerOpen(let retryAfter, let cause):
            .resting(registry: registry, retryAfter: retryAfter, cause: cause)
        case .elsewhere(.badResponse(let text)): .corrupt(registry: registry, text)
        default: .unreachable(registry: registry, Unreachable(self))
        }
    }
}

extension UpstreamResponse {
    /// What a final status other than success means.
    func registryError(of registry: String) -> RegistryError {
        switch status {
        case 404, 410: .notFound
        case 401, 403, 405: .denied(registry: registry, status: status)
        case 429:
            .limited(registry: registry, retryAfter: RateLimitPause.clamp(retryAfter))
        case 503 where retryAfter != nil:
            .busy(registry: registry, retryAfter: RateLimitPause.clamp(retryAfter))
        default: .failing(registry: registry, status: status)
        }
    }
}
