import HTTP
import Reactor
import Testing

@testable import Upstream

@Suite struct AuthenticationTests {
    private func key(
        _ realm: String, base: String = "https://registry.example", realms: [String] = [],
        scope: String? = nil, name: String = "a/b"
    ) throws(UpstreamError) -> TokenKey {
        guard let base = RemoteURL(parsing: base) else { throw .badResponse("the test's base") }
        let authentication = Authentication(
            base: base, realms: realms.compactMap { RemoteURL(parsing: $0) })
        var parameters = [Challenge.Parameter(name: "realm", value: realm)]
        if let scope { parameters.append(.init(name: "scope", value: scope)) }
        return try authentication.tokenKey(
            for: Challenge(scheme: "bearer", parameters: parameters), name: name)
    }

    @Test(arguments: [
        "https://evil.example/token", "http://registry.example/token",
        "https://registry.example:444/t",
        "https://registry.example.evil.example/token", "https://auth.example/other",
        "https://u:p@registry.example/token", "https://registry.example/token#x", "/token", "",
        "https://sub.registry.example/token", "https://127.0.0.1/token",
        "http://auth.example/token",
        "https://auth.example/token/", "https://auth.example/token/../other",
    ])
    func realmsThatAreNotListedAreRefused(realm: String) {  // CRED-1, SSRF-2
        #expect(throws: UpstreamError.self) {
            try key(realm, realms: ["https://auth.example/token", "http://auth.example/token"])
        }
    }

    @Test func ownAndListedRealmsAreAccepted() throws {  // CRED-1
        #expect(try key("https://REGISTRY.example:443/any").scope == "repository:a/b:pull")
        let listed = ["https://auth.example/token"]
        #expect(
            try key("https://auth.example/token?x=1", realms: listed).realm.query == "x=1")
        #expect(try key("http://r/t", base: "http://r").realm.scheme == .http)
        #expect(
            try key("https://auth.example/token", base: "http://r", realms: listed).service == nil)
    }

    @Test func dockersOwnRealmIsBuiltInForDockersOwnHosts() throws {
        let hub = UpstreamSettings(
            registry: "docker.io",
            base: try #require(RemoteURL(parsing: "https://registry-1.docker.io")))
        #expect(hub.realms.map(\.text) == ["https://auth.docker.io/token"])
        let mirror = UpstreamSettings(
            registry: "docker.io", base: try #require(RemoteURL(parsing: "https://mirror.example")))
        #expect(mirror.realms.isEmpty)
    }

    @Test func onlyReadingIsAskedFor() throws {
        #expect(Authentication.pullOnly("repository:a/b:pull,push") == "repository:a/b:pull")
        #expect(
            Authentication.pullOnly("repository:h:5000/b:push,pull") == "repository:h:5000/b:pull")
        #expect(Authentication.pullOnly("aws") == "aws")
        #expect(Authentication.pullOnly("repository:a:*") == "repository:a:*")
        #expect(throws: UpstreamError.self) {
            try key("https://registry.example/t", scope: String(repeating: "a", count: 2000))
        }
    }

    @Test func scopesOfOtherRepositoriesFollowFromOne() {
        let plain = ScopePattern(scope: "repository:a/b:pull", name: "a/b")
        #expect(plain?.scope(for: "c") == "repository:c:pull")
        let prefixed = ScopePattern(scope: "repository:hub/a/b:pull", name: "a/b")
        #expect(prefixed?.scope(for: "c") == "repository:hub/c:pull")
        #expect(ScopePattern(scope: "aws", name: "a")?.scope(for: "c") == "aws")
        #expect(ScopePattern(scope: "repository:x:pull", name: "a/b") == nil)
    }

    @Test func theRealmsOwnQueryIsKept() throws {
        let realm = try #require(RemoteURL(parsing: "https://r/t?account=x"))
        let key = TokenKey(realm: realm, service: "a&b=c", scope: "repository:a:pull aws")
        #expect(
            Authentication.tokenURL(key)?.text
                == "https://r/t?account=x&service=a%26b%3Dc&scope=repository%3Aa%3Apull&scope=aws")
    }

    @Test func passwordsAreOpaqueBytes() {  // CRED-5
        let cases: [([UInt8], String)] = [
            ([], "Og=="), ([0x61], "OmE="), ([0x61, 0x62], "OmFi"),
            (Array("#&%:@/".utf8), "OiMmJTpALw=="),
            ([0xff, 0xfe, 0xfd], "Ov/+/Q=="),
        ]
        for (password, encoded) in cases {
            let credentials = UpstreamSettings.Credentials(username: [], password: password)
            #expect(credentials.basicHeader == "Authorization: Basic \(encoded)")
        }
    }
}

@Suite struct TokenCacheTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    private let realm: RemoteURL

    init() throws {
        realm = try #require(RemoteURL(parsing: "https://r/t"))
    }

    private func key(_ scope: String) -> TokenKey {
        TokenKey(realm: realm, service: nil, scope: scope)
    }

    @Test func aTokenIsUsedForNineTenthsOfItsLife() {  // CRED-8
        var cache = TokenCache(entriesMax: 10)
        cache.store("t", for: key("a"), life: .seconds(100), askedAt: start)
        #expect(cache.find(key("a"), at: start + .milliseconds(89_999)) == .token("t"))
        #expect(cache.find(key("b"), at: start) == .nothing)  // CRED-2
        #expect(cache.find(key("a"), at: start + .seconds(90)) == .nothing)
    }

    @Test func aRefusalIsBelievedForAMinute() {  // CRED-8, UP-5
        var cache = TokenCache(entriesMax: 10)
        cache.deny(key("a"), status: 403, at: start)
        #expect(cache.find(key("a"), at: start + .seconds(59)) == .denied(status: 403))
        #expect(cache.find(key("a"), at: start + .seconds(60)) == .nothing)
    }

    @Test func onlyTheRefusedTokenIsDropped() {
        var cache = TokenCache(entriesMax: 10)
        cache.store("new", for: key("a"), life: .seconds(100), askedAt: start)
        cache.drop("old", for: key("a"))
        #expect(cache.find(key("a"), at: start) == .token("new"))
        cache.drop("new", for: key("a"))
        #expect(cache.find(key("a"), at: start) == .nothing)
    }

    @Test func theLeastUsedGoesFirst() {  // RES-7
        var cache = TokenCache(entriesMax: 2)
        for scope in ["a", "b"] {
            cache.store(scope, for: key(scope), life: .seconds(100), askedAt: start)
        }
        _ = cache.find(key("a"), at: start)
        cache.store("c", for: key("c"), life: .seconds(100), askedAt: start)
        #expect(cache.find(key("a"), at: start) == .token("a"))
        #expect(cache.find(key("b"), at: start) == .nothing)
    }

    @Test(arguments: [
        (#"{"token":"t","expires_in":300}"#, "t", 300), (#"{"access_token":"t"}"#, "t", 60),
        (#"{"token":"","access_token":"u","expires_in":1}"#, "u", 60),
        (#"{"token":"t","expires_in":99999999999}"#, "t", 3600),
        (#"{"token":"t","expires_in":-5}"#, "t", 60), (#"{"token":"t","expires_in":1.5}"#, "t", 60),
        (#"{"token":"t","expires_in":1e99}"#, "t", 60),
        (#"{"token":"t","expires_in":"120"}"#, "t", 120),
    ])
    func answersAreRead(json: String, token: String, seconds: Int) throws {
        let answer = try #require(TokenAnswer(parsing: Array(json.utf8), bytesMax: 1000))
        #expect(answer.token == token && answer.life == .seconds(seconds))
    }
}
