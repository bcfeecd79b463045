import Linux
import OCI
import Reactor
import Synchronization
import Testing

@testable import Upstream

/// A registry and its token endpoint on one origin, as quay.io has it.
private final class TokenRegistry: Sendable {
    private struct State {
        var issued = 0
        var accepted: Set<String> = []
    }

    private let state = Mutex(State())
    /// What the endpoint answers instead of a token.
    let refusal: [Step]?
    let acceptsTokens: Bool
    let expiresIn: Int?

    init(refusal: [Step]? = nil, acceptsTokens: Bool = true, expiresIn: Int? = 300) {
        self.refusal = refusal
        self.acceptsTokens = acceptsTokens
        self.expiresIn = expiresIn
    }

    var issued: Int { state.withLock { $0.issued } }

    func revokeAll() { state.withLock { $0.accepted = [] } }

    func answer(_ request: SeenRequest, realm: String) -> [Step] {
        if request.target.hasPrefix("/token") {
            if let refusal { return refusal }
            let token = state.withLock { state -> String in
                state.issued += 1
                if acceptsTokens { state.accepted.insert("Bearer t\(state.issued)") }
                return "t\(state.issued)"
            }
            let life = expiresIn.map { ",\"expires_in\":\($0)" } ?? ""
            return Step.response(200, "{\"token\":\"\(token)\"\(life)}")
        }
        if let value = request["authorization"], state.withLock({ $0.accepted.contains(value) }) {
            return Step.response(200, "content")
        }
        let name = request.target.split(separator: "/")[1]
        return Step.unauthorized(
            "Bearer realm=\"\(realm)\",service=\"registry\",scope=\"repository:\(name):pull,push\"")
    }
}

/// Starts the registry; its realm is `/token?own=1` on the same origin.
private func withTokenRegistry(
    _ registry: TokenRegistry, _ body: (ScriptedServer) async throws -> Void
) async throws {
    try await withServer(
        { request in
            registry.answer(request, realm: "http://\(request["host"] ?? "")/token?own=1")
        }, body)
}

@Suite struct TokenFlowTests {
    @Test func aChallengeIsAnsweredWithATokenForPulling() async throws {
        let registry = TokenRegistry()
        try await withTokenRegistry(registry) { server in
            let harness = try Harness(server.url)
            defer { harness.stop() }
            #expect(try await harness.get(.layer("one")).0 == 200)
            let requests = server.requests
            #expect(requests.count == 3)
            #expect(
                requests[1].target == "/token?own=1&service=registry&scope=repository%3Aone%3Apull"
            )
            #expect(requests[1]["authorization"] == nil)
            #expect(requests[2]["authorization"] == "Bearer t1")
            #expect(harness.exchanges.all.map(\.kind) == [.registry, .token, .registry])
        }
    }

    @Test func aTokenIsReusedAndTheNextRepositoryIsNotRefusedFirst() async throws {
        let registry = TokenRegistry()
        try await withTokenRegistry(registry) { server in
            let harness = try Harness(server.url)
            defer { harness.stop() }
            for _ in 0..<3 { #expect(try await harness.get(.layer("one")).0 == 200) }
            #expect(server.requests.count == 5)
            #expect(registry.issued == 1)
            #expect(try await harness.get(.layer("two")).0 == 200)
            // CRED-2: a token of its own, asked for without a 401 before.
            #expect(registry.issued == 2)
            #expect(server.requests.count == 7)
            #expect(server.requests[5].target.contains("scope=repository%3Atwo%3Apull"))
        }
    }

    @Test func manyWhoNeedOneTokenAskOnce() async throws {
        let registry = TokenRegistry()
        try await withTokenRegistry(registry) { server in
            let harness = try Harness(server.url)
            defer { harness.stop() }
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<20 { group.addTask { try await harness.get(.layer("one")).0 } }
                for try await status in group { #expect(status == 200) }
            }
            #expect(registry.issued == 1)
        }
    }

    @Test func aRevokedTokenIsRenewedOnce() async throws {
        let registry = TokenRegistry()
        try await withTokenRegistry(registry) { server in
            let harness = try Harness(server.url)
            defer { harness.stop() }
            _ = try await harness.get(.layer("one"))
            registry.revokeAll()
            #expect(try await harness.get(.layer("one")).0 == 200)
            #expect(registry.issued == 2)
        }
    }

    @Test func aFreshTokenThatIsRefusedIsTriedOnceMoreThenBelieved() async throws {  // CRED-8
        let registry = TokenRegistry(acceptsTokens: false)
        try await withTokenRegistry(registry) { server in
            let clock = ManualClock()
            let harness = try Harness(server.url, clock: .manual(clock))
            defer { harness.stop() }
            #expect(try await harness.get(.layer("one")).0 == 401)
            #expect(registry.issued == 2)
            #expect(server.requests.count == 5)
            // For a minute nobody asks for that token again.
            clock.advance(by: .seconds(59))
            #expect(await harness.failure(of: .layer("one")) == .tokenDenied(status: 401))
            #expect(registry.issued == 2)
            clock.advance(by: .seconds(1))
            #expect(try await harness.get(.layer("one")).0 == 401)
            #expect(registry.issued > 2)
        }
    }

    @Test func aTokenIsRenewedBeforeItEnds() async throws {  // CRED-8
        let clock = ManualClock()
        let registry = TokenRegistry(expiresIn: nil)
        try await withTokenRegistry(registry) { server in
            let harness = try Harness(server.url, clock: .manual(clock))
            defer { harness.stop() }
            _ = try await harness.get(.layer("one"))
            clock.advance(by: .seconds(53))
            _ = try await harness.get(.layer("one"))
            #expect(registry.issued == 1)
            clock.advance(by: .seconds(1))
            _ = try await harness.get(.layer("one"))
            #expect(registry.issued == 2)
        }
    }

    @Test(arguments: [401, 403])
    func aTokenEndpointThatRefusesIsDenialForAWhile(status: Int) async throws {
        let registry = TokenRegistry(refusal: Step.response(status, "{}"))
        try await withTokenRegistry(registry) { server in
            let clock = ManualClock()
            let harness = try Harness(server.url, clock: .manual(clock))
            defer { harness.stop() }
            // Asked for at once, believed for a minute, asked for again.
            for (pause, asked) in [(0, 1), (59, 1), (1, 2)] {
                clock.advance(by: .seconds(pause))
                #expect(await harness.failure(of: .layer("one")) == .tokenDenied(status: status))
                let tokens = server.requests.filter { $0.target.hasPrefix("/token") }
                #expect(tokens.count == asked)
            }
        }
    }

    @Test func aTokenEndpointThatIsLimitedSaysForHowLong() async throws {
        let registry = TokenRegistry(
            refusal: Step.response(429, "slow down", ["Retry-After": "30"]))
        try await withTokenRegistry(registry) { server in
            let harness = try Harness(server.url)
            defer { harness.stop() }
            #expect(
                await harness.failure(of: .layer("one"))
                    == .tooManyRequests(retryAfter: .seconds(30)))
        }
    }

    @Test(arguments: [
        "LARGE", "{}", "<html>", "", "{\"token\":\"a b\"}", "{\"token\":5}",
    ])
    func anAnswerWithoutAUsableTokenIsAnError(body: String) async throws {  // RES-2, CRED-8
        let large = "{\"token\":\"" + String(repeating: "a", count: 70_000) + "\"}"
        let body = body == "LARGE" ? large : body
        let registry = TokenRegistry(refusal: Step.response(200, body))
        try await withTokenRegistry(registry) { server in
            let harness = try Harness(server.url)
            defer { harness.stop() }
            let error = try #require(await harness.failure(of: .layer("one")))
            #expect(["auth", "too_large"].contains(error.reason))
        }
    }

    @Test func credentialsGoToTheTokenEndpointAsOpaqueBytes() async throws {  // CRED-5
        let registry = TokenRegistry()
        try await withTokenRegistry(registry) { server in
            let harness = try Harness(server.url) {
                $0.credentials = .init(username: Array("me".utf8), password: [0x23, 0xff, 0x3a])
            }
            defer { harness.stop() }
            _ = try await harness.get(.layer("one"))
            #expect(server.requests[0]["authorization"] == nil)
            #expect(server.requests[1]["authorization"] == "Basic bWU6I/86")
            #expect(server.requests[2]["authorization"] == "Bearer t1")
        }
    }

    @Test func basicIsSentWhereItIsAskedFor() async throws {
        try await withServer(
            { request in
                request["authorization"] == "Basic bWU6cHc="
                    ? Step.response(200, "x")
                    : Step.unauthorized("Basic realm=\"x\", Digest nonce=\"y\"")
            },
            { server in
                let harness = try Harness(server.url) {
                    $0.credentials = .init(username: Array("me".utf8), password: Array("pw".utf8))
                }
                defer { harness.stop() }
                for _ in 0..<2 { #expect(try await harness.get(.layer("one")).0 == 200) }
                #expect(server.requests.count == 3)
                let anonymous = try Harness(server.url)
                defer { anonymous.stop() }
                #expect(try await anonymous.get(.layer("one")).0 == 401)
                let wrong = try Harness(server.url) {
                    $0.credentials = .init(username: Array("me".utf8), password: Array("no".utf8))
                }
                defer { wrong.stop() }
                #expect(try await wrong.get(.layer("one")).0 == 401)
            })
    }

    @Test func aForeignRealmIsNotAsked() async throws {  // CRED-1
        try await withServer(
            { _ in Step.response(200, "{\"token\":\"x\"}") },
            { evil in
                let realm = evil.url + "/token"
                try await withServer(
                    { _ in
                        Step.unauthorized("Bearer realm=\"\(realm)\",service=\"s\"")
                    },
                    { server in
                        let harness = try Harness(server.url) {
                            $0.credentials = .init(username: [0x61], password: [0x62])
                            $0.allowNetworks = [Network(parsing: "127.0.0.0/8")!]
                        }
                        defer { harness.stop() }
                        let error = await harness.failure(of: .layer("one"))
                        #expect(error == .refusedRealm(realm))
                        #expect(evil.connections == 0)
                    })
            })
    }

    @Test func aRealmThatFailsIsLearntAnew() async throws {
        let hasMoved = Mutex(false)
        try await withServer(
            { request in
                let isMoved = hasMoved.withLock { $0 }
                switch request.target {
                case _ where request.target.hasPrefix("/old"):
                    return isMoved
                        ? Step.response(404, "gone") : Step.response(200, "{\"token\":\"x\"}")
                case _ where request.target.hasPrefix("/new"):
                    return Step.response(200, "{\"token\":\"x\"}")
                default:
                    let realm = "http://\(request["host"] ?? "")\(isMoved ? "/new" : "/old")"
                    return request["authorization"] == "Bearer x"
                        ? Step.response(200, "x") : Step.unauthorized("Bearer realm=\"\(realm)\"")
                }
            },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                #expect(try await harness.get(.layer("one")).0 == 200)
                hasMoved.withLock { $0 = true }
                #expect(await harness.failure(of: .layer("two"))?.reason == "auth")
                #expect(try await harness.get(.layer("two")).0 == 200)
            })
    }

    @Test func aListedRealmIsAskedIfItsAddressIsAllowed() async throws {  // CRED-1, SSRF-3
        try await withServer(
            { _ in
                Step.response(200, "{\"access_token\":\"x\"}")
            },
            { realmServer in
                let realm = realmServer.url + "/token"
                try await withServer(
                    { request in
                        request["authorization"] == "Bearer x"
                            ? Step.response(200, "x")
                            : Step.unauthorized("Bearer realm=\"\(realm)\"")
                    },
                    { server in
                        let allowed = try Harness(server.url) {
                            $0.realms = [RemoteURL(parsing: realm)!]
                            $0.allowNetworks = [Network(parsing: "127.0.0.1")!]
                        }
                        defer { allowed.stop() }
                        #expect(try await allowed.get(.layer("one")).0 == 200)
                        let asked = realmServer.connections
                        // Listed, but the address is neither public nor allowed: same IP, another
                        // port.
                        let refused = try Harness(server.url) {
                            $0.realms = [RemoteURL(parsing: realm)!]
                        }
                        defer { refused.stop() }
                        #expect(
                            await refused.failure(of: .layer("one"))
                                == .refusedAddress(host: "127.0.0.1", address: "127.0.0.1"))
                        #expect(realmServer.connections == asked)
                    })
            })
    }
}
