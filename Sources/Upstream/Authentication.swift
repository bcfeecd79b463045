import HTTP

/// What a request carries to be let in.
enum Credential: Equatable {
    case basic
    case token(String, TokenKey)
}

/// How this upstream asked for credentials last, so that the next request need not be refused
/// first.
enum RememberedChallenge {
    case basic
    case bearer(realm: RemoteURL, service: String?, scope: ScopePattern)
}

extension UpstreamSettings.Access {
    /// As a scope names them.
    var actions: String {
        switch self {
        case .pull: "pull"
        case .push: "pull,push"
        }
    }
}

/// How an upstream's scope follows from the repository asked for.
enum ScopePattern: Equatable {
    /// `repository:<prefix><name>:pull`
    case repository(prefix: String)
    /// The same for all, such as `aws` at public.ecr.aws.
    case fixed(String)

    /// Learns the pattern from a scope that was asked for `name`; nil when there is none to see.
    init?(scope: String, name: String, _ access: UpstreamSettings.Access = .pull) {
        let start = "repository:"
        let end = "\(name):\(access.actions)"
        if scope.hasPrefix(start), scope.hasSuffix(end), !scope.contains(" ") {
            self = .repository(prefix: String(scope.dropFirst(start.count).dropLast(end.count)))
        } else if !scope.contains(start) {
            self = .fixed(scope)
        } else {
            return nil
        }
    }

    func scope(for name: String, _ access: UpstreamSettings.Access = .pull) -> String {
        switch self {
        case .repository(let prefix): "repository:\(prefix)\(name):\(access.actions)"
        case .fixed(let scope): scope
        }
    }
}

/// Reads challenges and decides which may be answered, and where (CRED-1).
///
/// A pure value.
struct Authentication {
    /// Longest `service` and `scope` that are passed on.
    private static let parameterBytesMax = 1 << 10

    let base: RemoteURL
    let realms: [RemoteURL]
    var access = UpstreamSettings.Access.pull

    /// What a Bearer challenge asks to be got, if its realm may be asked.
    ///
    /// `name` is the repository the request was about, as the upstream knows it.
    func tokenKey(for challenge: Challenge, name: String) throws(UpstreamError) -> TokenKey {
        guard let text = challenge["realm"] else { throw .badResponse("challenge without realm") }
        guard let realm = RemoteURL(parsing: text) else {
            throw .refusedRealm("that is no acceptable URL")
        }
        guard mayAsk(realm) else { throw .refusedRealm("\(realm.origin)\(realm.path)") }
        let service = challenge["service"]
        let scope = challenge["scope"].map { narrowed($0, name: name) } ?? ""
        guard [service ?? "", scope].allSatisfy({ $0.utf8.count <= Self.parameterBytesMax }) else {
            throw .badResponse("challenge parameters too long")
        }
        return TokenKey(
            realm: realm, service: service,
            scope: scope.isEmpty && !name.isEmpty
                ? "repository:\(name):\(access.actions)" : scope)
    }

    /// Own origin, or listed; never by a weaker scheme than the upstream's.
    private func mayAsk(_ realm: RemoteURL) -> Bool {
        if base.scheme == .https, realm.scheme != .https { return false }
        return realm.origin == base.origin
            || realms.contains { $0.origin == realm.origin && $0.path == realm.path }
    }

    /// What is asked for, whatever the challenge proposes: for those who push, that of the image a
    /// request is about as a whole.
    private func narrowed(_ scope: String, name: String) -> String {
        guard access == .push else { return Self.pullOnly(scope) }
        return scope.split(separator: " ").map { part in
            guard let colon = part.lastIndex(of: ":"),
                [":\(name)", "/\(name)"].contains(where: { part[..<colon].hasSuffix($0) })
            else { return Self.pullOnly(String(part)) }
            return "\(part[...colon])\(access.actions)"
        }.joined(separator: " ")
    }

    /// Asks for no more than reading.
    static func pullOnly(_ scope: String) -> String {
        scope.split(separator: " ").map { part in
            guard part.hasPrefix("repository"), let colon = part.lastIndex(of: ":") else {
                return String(part)
            }
            let actions = part[part.index(after: colon)...].split(separator: ",")
            return actions.contains("pull") ? "\(part[...colon])pull" : String(part)
        }.joined(separator: " ")
    }

    /// The URL of a token request: the realm with its own query kept, `scope` repeated for each.
    static func tokenURL(_ key: TokenKey) -> RemoteURL? {
        var items: [String] = []
        if let service = key.service { items.append("service=\(PercentEncoding.encode(service))") }
        for scope in key.scope.split(separator: " ") {
            items.append("scope=\(PercentEncoding.encode(String(scope)))")
        }
        let separator = key.realm.query == nil ? "?" : "&"
        return RemoteURL(parsing: key.realm.text + separator + items.joined(separator: "&"))
    }
}
