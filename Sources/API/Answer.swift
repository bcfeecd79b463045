import HTTP
import OCI
import Registry
import Server
import Telemetry

/// A response with what the access line and the metrics say of it.
struct Answer {
    var response: Response
    var kind: ContentKind?
    var outcome: CacheOutcome?
    var repository: String?
    var name: String?
    var reference: String?
    /// Who asked, if somebody logged in.
    var user: String?
    /// Why a login counted for nothing.
    var authFailure: AuthFailure?
    /// Body bytes received of a push.
    var received: Int64?
    /// What the same answer can be given again from; nil when it is to be worked out each time.
    var again: RepeatedAnswer.Source?
    /// The upstream's status, if it refused.
    var refusal: Int?

    init(_ response: Response) {
        self.response = response
    }

    /// An error as the OCI specification writes it (HTTP-9).
    ///
    /// `reason` replaces the standard reason phrase: containerd shows it to people, also where HEAD
    /// carries no body.
    static func error(
        _ status: Int, _ code: ErrorCode, _ message: String, reason: String? = nil,
        detail: [(name: String, value: String)] = []
    ) -> Answer {
        var fields = Self.commonFields
        fields.append("Content-Type", ErrorBody.contentType)
        let body = ErrorBody(code, message, detail: detail).encode()
        let phrase = reason.map(Self.phrase)
        return Answer(
            Response(status: status, reason: phrase, fields: fields, body: .bytes(body)))
    }

    /// What is asked for, or to be deleted, under a reference that nothing can have.
    ///
    /// No tag is written like that, so there is none; of a digest the mistake is told.
    static func noReference(_ text: Substring) -> Answer {
        text.utf8.contains(UInt8(ascii: ":"))
            ? .error(400, .digestInvalid, "the digest is not valid")
            : .error(404, .manifestUnknown, "there is no such tag: no tag is written like that")
    }

    /// A text as a reason phrase: one line of visible ASCII, cut where it gets too long (HTTP-8).
    private static func phrase(_ text: String) -> String {
        let visible = text.utf8.filter { (0x20...0x7e).contains($0) }
        return String(decoding: visible.prefix(ResponseHead.reasonBytesMax), as: UTF8.self)
    }

    /// What old Docker clients recognise the API by; on every answer (protocol.md §1.8).
    static let commonFields: HeaderFields = [
        "Docker-Distribution-Api-Version": "registry/2.0", "X-Content-Type-Options": "nosniff",
    ]
}

extension Answer {
    /// What a repository's failure looks like to a client; `missing` is the code of a 404.
    ///
    /// Never 429 or 408, which containerd repeats five times on the same host (UP-10), and never
    /// the upstream's 401, whose challenge is not the client's to answer.
    static func failure(_ error: RegistryError, missing: ErrorCode, what: String) -> Answer {
        var answer = mapped(error, missing: missing, what: what)
        if let seconds = error.retryAfterSeconds {
            answer.response.fields.append("Retry-After", Int64(seconds))
        }
        var status = CacheStatus(forward: .uriMiss, forwardStatus: error.upstreamStatus)
        status.detail = error.reason
        switch error {
        case .denied(_, let status), .notHere(_, let status): answer.refusal = status
        default: break
        }
        answer.response.fields.append("Cache-Status", status.value())
        return answer
    }

    private static func mapped(  // flat switch
        _ error: RegistryError, missing: ErrorCode, what: String
    ) -> Answer {
        switch error {
        case .notFound:
            return .error(404, missing, "\(what) does not exist")
        case .denied(let registry, let status):
            return .error(
                403, .denied,
                "\(registry) denies access to \(what): it does not exist or needs credentials",
                reason: "\(registry) denies access",
                detail: [("upstream_status", String(status))])
        case .notHere(let registry, let status):
            return .error(
                404, missing,
                "\(what) was not pushed here, and \(registry) denies access to it: it does not "
                    + "exist there, or needs credentials",
                reason: "not pushed here, \(registry) denies access",
                detail: [("upstream_status", String(status))])
        case .notAllowed(let registry):
            return .error(
                403, .denied,
                "the configuration does not let \(what) be asked for at \(registry): see allow "
                    + "and deny of its repository",
                reason: "not allowed here")
        case .limited(let registry, _):
            let seconds = error.retryAfterSeconds ?? 1
            return .error(
                503, .tooManyRequests,
                "\(registry) limits requests and \(what) is not cached; again in \(seconds) s",
                reason: "\(registry) pull limit reached, retry in \(seconds) s",
                detail: [("upstream_status", "429")])
        case .busy(let registry, _):
            let seconds = error.retryAfterSeconds ?? 1
            return .error(
                503, .unavailable,
                "\(registry) cannot give \(what) now, and it is not cached; again in \(seconds) s",
                reason: "\(registry) is busy, retry in \(seconds) s",
                detail: [("upstream_status", "503")])
        case .spared(let registry, let left):
            return .error(
                503, .tooManyRequests,
                "\(registry) allows \(left) more pulls and \(what) is not cached",
                reason: "\(registry) pull limit nearly reached")
        case .unreachable(let registry, let cause):
            return .error(
                cause.isTimeout ? 504 : 502, .unavailable,
                "\(registry) cannot be asked for \(what), which is not cached: \(cause.text)",
                reason: "\(registry) \(cause.phrase)")
        case .resting(let registry, let retryAfter, let cause):
            return .error(
                503, .unavailable,
                "\(registry) failed too often and is left alone for now; \(what) is not cached; "
                    + "again in \(retryAfter.wholeSeconds) s: \(cause)",
                reason: "\(registry) is failing, asked again in \(retryAfter.wholeSeconds) s")
        case .offline(let registry):
            return .error(
                404, missing, "\(what) is not in this cache, and \(registry) is offline here",
                reason: "not in this offline cache")
        case .failing(let registry, let status):
            return .error(
                502, .unavailable,
                "\(registry) answered \(status) and \(what) is not cached",
                reason: "\(registry) answered \(status)",
                detail: [("upstream_status", String(status))])
        case .corrupt(let registry, let cause):
            return .error(
                502, .unavailable, "what \(registry) sent for \(what) is wrong: \(cause)",
                reason: "\(registry) sent wrong bytes")
        case .timedOut(let registry):
            return .error(
                504, .unavailable, "\(registry) takes too long for \(what); it is still fetched",
                reason: "\(registry) timed out")
        case .rangeOfCorrupt:
            return .error(
                502, .unavailable,
                "\(what) arrived damaged a moment ago; ask for all of it, not for the rest",
                reason: "blob was damaged")
        case .unavailable(let cause):
            return .error(
                503, .unavailable, "\(what) cannot be served: \(cause)", reason: cause)
        }
    }
}

extension RegistryError {
    /// When asking again makes sense, for 502, 503 and 504 (UP-10).
    fileprivate var retryAfterSeconds: Int? {
        switch self {
        case .notFound, .denied, .notHere, .notAllowed, .offline: nil
        case .limited(_, let retryAfter), .busy(_, let retryAfter), .resting(_, let retryAfter, _):
            retryAfter.wholeSeconds
        case .rangeOfCorrupt: 60
        default: 5
        }
    }

    fileprivate var upstreamStatus: Int? {
        switch self {
        case .failing(_, let status), .denied(_, let status), .notHere(_, let status): status
        case .limited: 429
        case .busy: 503
        case .notFound: 404
        default: nil
        }
    }
}

extension Unreachable {
    /// The cause in the words of a reason phrase, behind the registry's name.
    fileprivate var phrase: String {
        switch reason {
        case "dns": "has no address"
        case "tls": "TLS failed"
        case "timeout": "timed out"
        case "auth": "gives no token"
        case "refused": "leads to a forbidden address"
        case "stalled", "reset", "truncated": "broke off"
        default: "unreachable"
        }
    }
}

extension CacheOutcome {
    /// The outcome as RFC 9211 writes it.
    var cacheStatus: CacheStatus {
        switch kind {
        case .hit: CacheStatus(hit: true, ttl: ttl, detail: detail)
        case .revalidated:
            CacheStatus(hit: true, forward: .stale, forwardStatus: forwardStatus, ttl: ttl)
        case .stale:
            CacheStatus(
                forward: .stale, forwardStatus: forwardStatus,
                detail: "served-stale: \(detail ?? "upstream failed")")
        case .coalesced:
            CacheStatus(
                forward: .uriMiss, forwardStatus: forwardStatus, stored: stored, collapsed: true)
        case .bypass: CacheStatus(forward: .bypass, forwardStatus: forwardStatus)
        case .miss, .negative:
            CacheStatus(forward: .uriMiss, forwardStatus: forwardStatus, stored: stored)
        }
    }
}

extension Duration {
    /// Whole seconds for `Retry-After`, at least one.
    fileprivate var wholeSeconds: Int {
        let (seconds, rest) = components
        return max(1, Int(clamping: seconds) + (rest > 0 ? 1 : 0))
    }
}
