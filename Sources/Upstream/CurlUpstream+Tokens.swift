import HTTP
import Reactor

/// Challenges and tokens (CRED-1, CRED-2, CRED-8).
extension CurlUpstream {
    /// The credential that this upstream is known to want, so that it need not refuse first.
    ///
    /// nil when nothing is known, or when the token was refused: then the request goes without, and
    /// its challenge decides.
    func foreseenCredential(
        for name: String, reading origin: String, by deadline: Instant
    ) async throws(UpstreamError) -> Credential? {
        switch remembered {
        case nil: return nil
        case .basic: return .basic
        case .bearer(let realm, let service, let pattern):
            // The registry as a whole is another scope: its challenge names it.
            guard !name.isEmpty else { return nil }
            var scope = pattern.scope(for: name, settings.access)
            if !origin.isEmpty { scope += " \(pattern.scope(for: origin))" }
            let key = TokenKey(realm: realm, service: service, scope: scope)
            do {
                return .token(try await token(for: key, by: deadline), key)
            } catch {
                switch error {
                case .tokenDenied: return nil
                case .tooManyRequests: break
                // The registry may send us elsewhere by now: the next request asks it afresh.
                default: remembered = nil
                }
                throw error
            }
        }
    }

    func headerLine(for credential: Credential?) -> String? {
        switch credential {
        case nil: nil
        case .basic: settings.credentials?.basicHeader
        case .token(let token, _): "Authorization: Bearer \(token)"
        }
    }

    /// Finds what a 401 asks for; nil when there is nothing (more) to offer.
    func answer(
        _ lines: [String], for name: String, after refused: Credential?, by deadline: Instant
    ) async throws(UpstreamError) -> Credential? {
        let challenges = Challenge.parse(lines)
        if let bearer = challenges.first(where: { $0.scheme == "bearer" }) {
            let key = try authentication.tokenKey(for: bearer, name: name)
            if !name.isEmpty,
                let pattern = ScopePattern(scope: key.scope, name: name, settings.access)
            {
                remembered = .bearer(realm: key.realm, service: key.service, scope: pattern)
            }
            if case .token(let token, key) = refused { tokens.drop(token, for: key) }
            return .token(try await token(for: key, by: deadline), key)
        }
        guard challenges.contains(where: { $0.scheme == "basic" }), refused != .basic,
            settings.credentials != nil
        else { return nil }
        remembered = .basic
        return .basic
    }

    /// A token for `key`: the one at hand, or the one that is being asked for, or a new one.
    private func token(
        for key: TokenKey, by deadline: Instant
    ) async throws(UpstreamError) -> String {
        if let token = try tokenAtHand(for: key) { return token }
        if tokenWaiters[key] == nil {
            tokenWaiters[key] = []
            // A task of its own: whoever caused it may leave, others wait for it as well.
            loop.spawn { await self.renewToken(for: key, by: deadline) }
        }
        let ticket = pool.waiters.ticket()
        tokenWaiters[key]?.append(ticket)
        try await suspend(ticket, for: deadline - loop.now, else: .headers).get()
        guard let token = try tokenAtHand(for: key) else { throw .tokenFailed("refused at once") }
        return token
    }

    private func tokenAtHand(for key: TokenKey) throws(UpstreamError) -> String? {
        switch tokens.find(key, at: loop.now) {
        case .token(let token): return token
        case .denied(let status): throw .tokenDenied(status: status)
        case .nothing: return nil
        }
    }

    private func renewToken(for key: TokenKey, by deadline: Instant) async {
        let outcome: WaiterTable.Outcome
        do throws(UpstreamError) {
            try await fetchToken(for: key, by: deadline)
            outcome = .success(())
        } catch {
            if case .tokenDenied(let status) = error {
                tokens.deny(key, status: status, at: loop.now)
            }
            outcome = .failure(error)
        }
        for ticket in tokenWaiters.removeValue(forKey: key) ?? [] {
            pool.waiters.wake(ticket, outcome)
        }
    }

    /// Asks the realm; redirects of a token endpoint are not followed.
    private func fetchToken(for key: TokenKey, by deadline: Instant) async throws(UpstreamError) {
        guard let url = Authentication.tokenURL(key) else { throw .refusedRealm("too long") }
        var fields = ["Accept: application/json", "Accept-Encoding: identity"]
        if let credentials = settings.credentials { fields.append(credentials.basicHeader) }
        let askedAt = loop.now
        let transfer = try await exchange(
            ExchangePlan(kind: .token, method: .get, url: url, fields: fields, deadline: deadline))
        let head = transfer.head
        switch head.status {
        case 200: break
        case 401, 403:
            pool.forget(transfer)
            throw .tokenDenied(status: head.status)
        case 429:
            pool.forget(transfer)
            throw .tooManyRequests(
                retryAfter: head.retryAfter(wallSeconds: loop.clock.dateSeconds))
        default:
            pool.forget(transfer)
            throw .tokenFailed("status \(head.status) from \(url.origin)")
        }
        let body = CurlBody(self, id: transfer.id)
        let bytes = try await tokenBody(body, by: deadline)
        guard let answer = TokenAnswer(parsing: bytes, bytesMax: settings.limits.tokenBytesMax)
        else {
            throw .tokenFailed("no token in the answer of \(url.origin)")
        }
        tokens.store(answer.token, for: key, life: answer.life, askedAt: askedAt)
    }

    /// The answer's bytes; a slow one is cut off when the request it is for is due.
    private func tokenBody(
        _ body: CurlBody, by deadline: Instant
    ) async throws(UpstreamError) -> [UInt8] {
        let timer = loop.timer(after: deadline - loop.now) { body.cancel() }
        defer { timer.cancel() }
        do {
            return try await body.collect(limit: settings.limits.tokenBytesMax)
        } catch .cancelled {
            throw .timeout(.headers)
        }
    }
}
