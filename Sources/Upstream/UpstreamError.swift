/// Why an upstream gave no answer that can be used.
///
/// Texts name hosts at most: never a path's query, a token or a header value (CRED-6).
package enum UpstreamError: Error, Equatable, Sendable {
    /// The part of a request that took too long (UP-2).
    package enum Phase: String, Sendable {
        /// Waiting for one of the upstream's transfer slots.
        case queue
        case resolve
        case connect
        case tls
        /// Request sent, no response line yet.
        case firstByte
        /// The whole way to the final headers: tokens and redirects included.
        case headers
    }

    /// The host name has no address.
    case resolve(host: String)
    /// No connection to any allowed address.
    case connect(host: String, detail: String)
    /// Handshake, chain or host name failed; never retried as HTTP (TLS-2).
    case tls(host: String, detail: String)
    case timeout(Phase)
    /// The body came slower than `Timeouts.stallBytesPerSecond`.
    case stalled
    /// The connection broke before the body's end was announced, or before the headers.
    case reset
    /// Fewer bytes than `Content-Length`, or chunks without their end.
    case truncated
    /// More bytes than the caller allows.
    case tooLarge(limit: Int)
    /// A response that breaks HTTP, or one that would not arrive as hashed (INT-3, RES-4).
    case badResponse(String)
    /// Every address of the host is forbidden (SSRF-3).
    case refusedAddress(host: String, address: String)
    /// A redirect that is not followed (CRED-3, SSRF-2).
    case refusedRedirect(String)
    /// A token realm that credentials may not see (CRED-1); nothing was sent to it.
    case refusedRealm(String)
    /// The token endpoint, or the registry in spite of fresh tokens, said 401 or 403.
    case tokenDenied(status: Int)
    /// The token endpoint answered something else than a token.
    case tokenFailed(String)
    /// The token endpoint said 429. (A 429 of the registry itself is a response.)
    case tooManyRequests(retryAfter: Duration?)
    /// Not sent, since the upstream lets us pull only so many more and this one can wait.
    case spared(left: Int)
    /// The queue for transfer slots is full.
    case overloaded
    /// Its breaker is open: nothing was sent (UP-8). `cause` is the failure that opened it.
    case breakerOpen(retryAfter: Duration, cause: String)
    /// What failed is where the upstream redirected to, such as a CDN; the upstream itself answers.
    indirect case elsewhere(UpstreamError)
    /// The configuration says that it is never asked.
    case offline
    case cancelled
}

extension UpstreamError {
    /// All labels of `reason`, so that metrics exist from the start (RES-7).
    package static let reasons = [
        "dns", "connect", "tls", "timeout", "stalled", "reset", "truncated", "too_large",
        "bad_response", "refused", "auth", "rate_limited", "overloaded", "breaker_open",
        "offline", "cancelled",
    ]

    /// The metric label of this error, one of `reasons`.
    package var reason: String {
        switch self {
        case .resolve: "dns"
        case .connect: "connect"
        case .tls: "tls"
        case .timeout: "timeout"
        case .stalled: "stalled"
        case .reset: "reset"
        case .truncated: "truncated"
        case .tooLarge: "too_large"
        case .badResponse: "bad_response"
        case .refusedAddress, .refusedRedirect, .refusedRealm: "refused"
        case .tokenDenied, .tokenFailed: "auth"
        case .tooManyRequests, .spared: "rate_limited"
        case .overloaded: "overloaded"
        case .breakerOpen: "breaker_open"
        case .elsewhere(let error): error.reason
        case .offline: "offline"
        case .cancelled: "cancelled"
        }
    }
}

extension UpstreamError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .resolve(let host): "cannot resolve \(host)"
        case .connect(let host, let detail): "cannot connect to \(host): \(detail)"
        case .tls(let host, let detail): "TLS with \(host) failed: \(detail)"
        case .timeout(let phase): "timed out: \(phase.text)"
        case .stalled: "the transfer stalled"
        case .reset: "the connection was reset"
        case .truncated: "the body ended early"
        case .tooLarge(let limit): "the body exceeds \(limit) bytes"
        case .badResponse(let detail): "bad response: \(detail)"
        case .refusedAddress(let host, let address):
            "\(host) is at \(address), which is neither public nor in allow_networks"
        case .refusedRedirect(let detail): "redirect not followed: \(detail)"
        case .refusedRealm(let realm): "token realm \(realm) is not listed in realms"
        case .tokenDenied(let status): "access denied (\(status))"
        case .tokenFailed(let detail): "no token: \(detail)"
        case .tooManyRequests: "too many requests (429)"
        case .spared(let left): "only \(left) pulls are left"
        case .overloaded: "too many requests are waiting for this upstream"
        case .breakerOpen(_, let cause): "left alone after failures: \(cause)"
        case .elsewhere(let error): "after a redirect: \(error)"
        case .offline: "offline"
        case .cancelled: "cancelled"
        }
    }
}

extension UpstreamError.Phase {
    fileprivate var text: String {
        switch self {
        case .queue: "waiting for a transfer slot"
        case .resolve: "resolving the host name"
        case .connect: "connecting"
        case .tls: "TLS handshake"
        case .firstByte: "waiting for the response"
        case .headers: "waiting for the final response"
        }
    }
}
