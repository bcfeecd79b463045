import Access
import HTTP
import OCI
import Server
import Telemetry

/// One request before the rules: who asks is known, and each thing it wants is asked for here.
struct Gate: Sendable {
    /// A gate, or the answer to a login that counts for nothing.
    enum Approach {
        case gate(Gate)
        case answer(Answer)
    }

    let control: AccessControl
    let caller: Caller
    private let challenge: Challenging

    /// Finds out who asks; without `[auth]` nobody looks at what is said of that (CRED-4).
    static func approach(_ request: Request, _ control: AccessControl) async -> Approach {
        let challenge = Challenging(control, request)
        guard let authenticator = control.authenticator else {
            return .gate(Gate(control: control, caller: .anonymous, challenge: challenge))
        }
        let finding: Authenticator.Finding
        var isBearer = false
        switch Login(request.head.headers.all("Authorization")) {
        case .none: finding = .known(.anonymous)
        case .basic(let login):
            finding = await authenticator.login(login.username, login.password, on: request.loop)
        case .bearer(let token):
            isBearer = true
            finding = await authenticator.bearer(token, on: request.loop)
        case .unusable:
            return .answer(
                challenge.answer("only Basic and Bearer are understood", scope: nil)
                    .failing(.malformed))
        }
        switch finding {
        case .known(let caller):
            return .gate(Gate(control: control, caller: caller, challenge: challenge))
        case .unknown:
            return .answer(
                challenge.answer(
                    "the login is wrong, or has ended", scope: nil, error: "invalid_token"
                ).failing(isBearer ? .badToken : .badPassword))
        case .busy: return .answer(busy())
        }
    }

    /// 503: more logins to check than there is time for (AUTH-9).
    static func busy() -> Answer {
        var answer = Answer.error(
            503, .unavailable, "too many logins are being checked; again in a moment",
            reason: "too many logins at once")
        answer.response.fields.append("Retry-After", 1)
        return answer.failing(.busy)
    }

    /// Whether the caller may, for what a request wants besides (a mount's source, a catalog).
    ///
    /// `clientName` is another form of the name that clients may have asked a token for.
    func allows(
        _ action: Action, _ repository: String, _ name: some StringProtocol,
        alsoAs clientName: String? = nil
    ) -> Bool {
        mayAtAll(action, repository, name)
            && isInScope(
                action, [String(name), "\(repository)/\(name)"] + [clientName].compactMap { $0 })
    }

    /// Whether the caller may, if a token does not narrow it down.
    func mayAtAll(
        _ action: Action, _ repository: String, _ name: some StringProtocol
    ) -> Bool {
        control.rules.decide(action, repository, name, caller.principal) == .allowed
    }

    /// Whether a list of names may show the caller this one; a token that was asked for the list
    /// is good for all names that whoever holds it may pull.
    func lists(_ repository: String, _ name: String) -> Bool {
        let isForLists = caller.scopes?.contains { $0.kind == .catalog } ?? false
        return isForLists ? mayAtAll(.pull, repository, name) : allows(.pull, repository, name)
    }

    /// 401 for a token that was asked for less than a request needs.
    func tooNarrow(_ scopes: [String]) -> Answer {
        challenge.answer(
            "this token was not asked for this", scope: scopes.joined(separator: " "),
            error: "insufficient_scope")
    }

    /// Nil if the caller may; else what to answer (AUTH-4).
    ///
    /// `clientName` is the name as it stands in the request, which clients ask tokens for; a mount
    /// also needs its `source`.
    func refusal(
        _ action: Action, _ repository: String, _ name: Substring, clientName: Substring,
        source: String? = nil
    ) -> Answer? {
        switch control.rules.decide(action, repository, name, caller.principal) {
        case .allowed:
            guard
                !isInScope(
                    action, [String(clientName), String(name), "\(repository)/\(name)"])
            else { return nil }
            return tooNarrow(Self.scopes(clientName, action, source))
        case .loginNeeded:
            return challenge.answer(
                "to \(action.rawValue) here takes a login",
                scope: Self.scopes(clientName, action, source).joined(separator: " "))
        case .denied:
            let whole = "\(repository)/\(name)".prefix(300)
            let message =
                control.rules.takesLogins
                ? "this login may not \(action.rawValue) \(whole)"
                : "nobody may \(action.rawValue) \(whole): the configuration has no [auth]"
            return .error(
                403, .denied, message, reason: "not allowed to \(action.rawValue) here"
            ).failing(caller.principal == .anonymous ? nil : .denied)
        }
    }

    /// For requests that name nothing: the base, and what does not exist.
    ///
    /// Clients learn at the base how to log in, so it asks for that even where nobody has to: who
    /// has no login gets a token too, and goes on (protocol.md §3).
    func refusalAtBase() -> Answer? {
        guard control.rules.takesLogins, caller == .anonymous else { return nil }
        return challenge.answer("log in, or ask for a token without a login", scope: nil)
    }

    /// Hides what is there from who may not even look.
    func refusalOfStranger(scope: String? = nil) -> Answer? {
        guard caller.principal == .anonymous, !control.rules.anonymousMayPull else { return nil }
        return control.rules.takesLogins
            ? challenge.answer("everything here takes a login", scope: scope) : nil
    }

    private func isInScope(_ action: Action, _ names: @autoclosure () -> [String]) -> Bool {
        // Without a login a token gives nothing, and so takes nothing away.
        guard let scopes = caller.scopes, caller.principal != .anonymous else { return true }
        let names = names()
        return scopes.contains { $0.covers(action, ofAnyOf: names) }
    }

    private static func scopes(
        _ clientName: Substring, _ action: Action, _ source: String?
    ) -> [String] {
        [scope(clientName, action), source.flatMap { scope($0, .pull) }].compactMap(\.self)
    }

    /// What a token has to be asked for; nil where the name is none.
    static func scope(_ clientName: some StringProtocol, _ action: Action) -> String? {
        guard let name = RepositoryName(parsing: clientName) else { return nil }
        let actions = action == .push ? "pull,push" : action.rawValue
        return "repository:\(name.text):\(actions)"
    }
}

extension Answer {
    /// This answer, counted as a refused login.
    func failing(_ failure: AuthFailure?) -> Answer {
        var answer = self
        answer.authFailure = failure
        return answer
    }
}

/// What the `Authorization` of a request is (AUTH-6: no other form is looked at).
enum Login {
    case none
    case basic(BasicAuthorization)
    case bearer(String)
    case unusable

    private static let bytesMax = 8 << 10

    init(_ values: [String]) {
        if values.count == 1, let value = values.first, value.utf8.count <= Self.bytesMax {
            let parts = value.split(separator: " ")
            if parts.count == 2, parts[0].lowercased() == "bearer" {
                self = .bearer(String(parts[1]))
                return
            }
        }
        switch BasicAuthorization.read(values) {
        case .none: self = .none
        case .login(let login): self = .basic(login)
        case .unusable: self = .unusable
        }
    }
}

extension Login {
    /// What a form says (OAuth 2, RFC 6749 §4.3); nil for other grants.
    ///
    /// No refresh tokens are given, so none is taken.
    init?(_ form: [FormBody.Field]) {
        func value(_ name: String) -> [UInt8] { form.first { $0.name == name }?.value ?? [] }
        guard value("grant_type") == Array("password".utf8) else { return nil }
        self = .basic(
            BasicAuthorization(username: value("username"), password: value("password")))
    }
}

/// 401 with the way to log in.
///
/// `Bearer` alone: Docker without a login gives up on `Basic`, and all clients that can log in
/// at all know both. `Basic` is taken wherever it comes unasked.
struct Challenging: Sendable {
    private let control: AccessControl
    private let isSecure: Bool
    private let host: String

    init(_ control: AccessControl, _ request: Request) {
        self.control = control
        isSecure = request.listener.isSecure
        host = request.head.host
    }

    private var parameters: String {
        let base = control.url ?? "\(isSecure ? "https" : "http")://\(host)"
        return "realm=\"\(base)/v2/_token\",service=\"\(control.realm)\""
    }

    func answer(_ message: String, scope: String?, error: String? = nil) -> Answer {
        var answer = Answer.error(401, .unauthorized, message, reason: "login needed")
        var value = "Bearer \(parameters)"
        if let scope, !scope.isEmpty { value += ",scope=\"\(scope)\"" }
        if let error { value += ",error=\"\(error)\"" }
        answer.response.fields.append("WWW-Authenticate", value)
        return answer
    }
}
