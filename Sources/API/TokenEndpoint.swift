import Access
import HTTP
import OCI
import Reactor
import Server
import Telemetry

/// `/v2/_token`: tokens of the Bearer flow (distribution, "Token Authentication Specification").
///
/// No name begins with an underscore, so the path is nobody's. A token says who asks; what that one
/// may is decided at each request, so asking for more than that is no error.
struct TokenEndpoint {
    let control: AccessControl

    func answer(_ request: Request) async -> Answer {
        guard let authenticator = control.authenticator else {
            return .error(404, .unsupported, "this registry takes no logins")
        }
        let texts: [Substring]
        let login: Login
        switch request.head.method {
        case .get, .head:
            // Forms write a space as a plus, which no scope has.
            texts = request.head.target.all("scope")
                .flatMap { $0.split { $0 == " " || $0 == "+" } }
            login = Login(request.head.headers.all("Authorization"))
        case .post:
            guard let form = await form(of: request) else {
                return .error(400, .unsupported, "the form cannot be read")
            }
            guard let posted = Login(form) else {
                return .error(400, .unsupported, "grant_type is password")
            }
            login = posted
            texts = form.filter { $0.name == "scope" }
                .flatMap { String(decoding: $0.value, as: UTF8.self).split(separator: " ") }
        default:
            var answer = Answer.error(405, .unsupported, "tokens are asked for by GET or POST")
            answer.response.fields.append("Allow", "GET, HEAD, POST")
            return answer
        }
        guard texts.count <= Authenticator.scopesMax else {
            return .error(400, .unsupported, "too many scopes for one token")
        }
        let principal: Principal
        switch login {
        case .none:
            guard control.rules.anonymousMayPull else { return refused("a login is needed") }
            principal = .anonymous
        case .unusable, .bearer:
            return refused("only a name and a password are understood here").failing(.malformed)
        case .basic(let login):
            switch await authenticator.login(login.username, login.password, on: request.loop) {
            case .busy: return Gate.busy()
            case .unknown:
                return refused("the name or the password is wrong").failing(.badPassword)
            case .known(let caller): principal = caller.principal
            }
        }
        let scopes = texts.compactMap { TokenScope(parsing: $0) }
        guard let token = await authenticator.issue(to: principal, scopes, on: request.loop) else {
            return refused("the login has ended")
        }
        var answer = granted(token, at: request.loop.clock.dateSeconds)
        answer.user = principal.shown
        return answer
    }

    /// What an OAuth client posts; nil if it is too long, breaks off, or is no form.
    private func form(of request: Request) async -> [FormBody.Field]? {
        var bytes: [UInt8] = []
        do {
            while let chunk = try await request.body?.next() {
                bytes += chunk.bytes
                guard bytes.count <= FormBody.bytesMax else { return nil }
            }
        } catch { return nil }
        return FormBody.parse(bytes)
    }

    private func granted(_ token: String, at seconds: Int64) -> Answer {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("token", token)
            writer.member("access_token", token)
            writer.member("expires_in", Authenticator.tokenSeconds)
            writer.member("issued_at", Timestamp.text(seconds))
        }
        var fields = Answer.commonFields
        fields.append("Content-Type", MediaType.json)
        fields.append("Cache-Control", "no-store")
        return Answer(Response(status: 200, fields: fields, body: .bytes(writer.bytes)))
    }

    private func refused(_ message: String) -> Answer {
        var answer = Answer.error(401, .unauthorized, message, reason: "login needed")
        answer.response.fields.append("WWW-Authenticate", "Basic realm=\"\(control.realm)\"")
        return answer
    }
}
