import HTTP
import OCI
import Registry
import Server

/// A repository as the client of one request sees it, where clients' logins are passed on.
///
/// Nothing else of Cistern reads `Authorization` (CRED-4).
enum ClientView {
    case repository(Repository)
    case answer(Answer)

    static func find(_ repository: Repository, _ request: Request) async -> ClientView {
        guard repository.passesLoginsOn else { return .repository(repository) }
        let login: ClientLogin?
        switch BasicAuthorization.read(request.head.headers.all("Authorization")) {
        case .none: login = nil
        case .login(let basic):
            login = ClientLogin(username: basic.username, password: basic.password)
        case .unusable: return .answer(challenge("only Basic authentication is understood"))
        }
        guard let seen = await repository.seen(by: login) else {
            return .answer(.error(503, .unavailable, "too many logins at once"))
        }
        return .repository(seen)
    }

    /// Whether the request says who asks.
    static func hasLogin(_ request: Request) -> Bool {
        let values = request.head.headers.all("Authorization")
        if case .login = BasicAuthorization.read(values) { return true }
        return false
    }

    /// Lets a client try with a login what it may not have without, or with a wrong one.
    static func challenging(_ answer: Answer, _ request: Request, _ name: String) -> Answer {
        guard let refusal = answer.refusal, refusal == 401 || !hasLogin(request) else {
            return answer
        }
        var challenge = challenge("\(name) denies access: it does not exist or needs a login")
        challenge.kind = answer.kind
        challenge.reference = answer.reference
        return challenge
    }

    /// 401; `Basic`, since the login has to be passed on.
    static func challenge(_ message: String) -> Answer {
        var answer = Answer.error(401, .unauthorized, message, reason: "login needed")
        answer.response.fields.append("WWW-Authenticate", "Basic realm=\"cistern\"")
        return answer
    }
}
