import Linux
import Reactor
import Synchronization
import TestSupport
import Testing

@testable import Access

/// Logins and tokens against files that change (AUTH-5, AUTH-6, AUTH-9).
@Suite struct AuthenticatorTests {
    /// Costs 2^4, so that tests are quick.
    private static let ann = "ann:\(PasswordFileTests.hash)\n"
    private static let password = Array("s3cr3t".utf8)

    private final class Scene: Sendable {
        let clock = ManualClock()
        let loop: EventLoop
        let home: TemporaryDirectory
        let authenticator: Authenticator
        let problems = Mutex<[PasswordFile.Problem]>([])

        init() throws {
            loop = EventLoop(simulating: 7, clock: clock)
            home = try TemporaryDirectory()
            let workers = WorkerPool(simulatedOn: loop)
            let told = Told()
            self.told = told
            authenticator = Authenticator(
                passwords: home.file("htpasswd"), robots: home.file("tokens"), workers: workers,
                hashers: workers
            ) { _, problem in told.problems.withLock { $0.append(problem) } }
        }

        let told: Told

        /// What a question to the authenticator comes to.
        func run<T: Sendable>(_ body: @escaping @Sendable (Authenticator) async -> T) throws -> T {
            let result = Mutex<T?>(nil)
            loop.spawn { [authenticator] in
                let found = await body(authenticator)
                result.withLock { $0 = found }
            }
            loop.runUntilIdle()
            return try #require(result.withLock { $0 })
        }

        func login(_ name: String, _ password: [UInt8]) throws -> Caller? {
            try run { [loop] authenticator in
                await authenticator.login(Array(name.utf8), password, on: loop).caller
            }
        }

        func bearer(_ token: String) throws -> Caller? {
            try run { [loop] authenticator in await authenticator.bearer(token, on: loop).caller }
        }

        func issue(_ principal: Principal, _ scopes: [String] = []) throws -> String? {
            let scopes = scopes.compactMap { TokenScope(parsing: $0) }
            return try run { [loop] authenticator in
                await authenticator.issue(to: principal, scopes, on: loop)
            }
        }
    }

    private final class Told: Sendable {
        let problems = Mutex<[PasswordFile.Problem]>([])
    }

    @Test func namesAndPasswordsAreHeldAgainstTheFileAsItIs() throws {
        let scene = try Scene()
        #expect(try scene.login("ann", Self.password) == nil, "no file yet")
        try scene.home.write("htpasswd", Self.ann)
        #expect(try scene.login("ann", Self.password) == Caller(.user("ann")))
        #expect(try scene.login("ann", Self.password) == Caller(.user("ann")), "remembered")
        #expect(try scene.login("ann", Self.password + [1]) == nil)
        #expect(try scene.login("ANN", Self.password) == nil)
        #expect(try scene.login("bob", Self.password) == nil)
        #expect(try scene.login("", Self.password) == nil)
        // A same-sized edit at once: the next request knows (AUTH-5).
        try scene.home.write("htpasswd", "bob" + Self.ann.dropFirst(3))
        #expect(try scene.login("ann", Self.password) == nil)
        #expect(try scene.login("bob", Self.password) == Caller(.user("bob")))
        try scene.home.write("htpasswd", "nonsense\n" + Self.ann)
        #expect(try scene.login("ann", Self.password) == Caller(.user("ann")))
        #expect(scene.told.problems.withLock { $0.contains { $0.line == 1 } })
    }

    @Test func tokensEndWithTheirUserTheirPasswordAndTheirTime() throws {
        let scene = try Scene()
        try scene.home.write("htpasswd", Self.ann)
        let scope = "repository:a/b:pull,push"
        let token = try #require(try scene.issue(.user("ann"), [scope]))
        let caller = Caller(.user("ann"), scopes: [try #require(TokenScope(parsing: scope))])
        #expect(try scene.bearer(token) == caller)
        let other = try #require(PasswordHash.make([65]))
        try scene.home.write("htpasswd", "ann:\(other)\n")
        #expect(try scene.bearer(token) == nil, "another password")
        try scene.home.write("htpasswd", Self.ann)
        #expect(try scene.bearer(token) == caller)
        try scene.home.write("htpasswd", "")
        #expect(try scene.bearer(token) == nil, "no such user any more")
        #expect(try scene.issue(.user("ann")) == nil)
        try scene.home.write("htpasswd", Self.ann)
        scene.clock.advance(by: .seconds(Authenticator.tokenSeconds))
        #expect(try scene.bearer(token) == nil, "its time is over")
    }

    // AUTH-6: nothing in a token says how it is to be checked, and no changed bit passes.
    @Test func noOtherTokenPasses() throws {
        let scene = try Scene()
        try scene.home.write("htpasswd", Self.ann)
        let token = try #require(try scene.issue(.user("ann"), ["repository:a:pull"]))
        let bytes = Array(token.utf8)
        for index in bytes.indices {
            var changed = bytes
            changed[index] = changed[index] == 65 ? 66 : 65
            #expect(try scene.bearer(String(decoding: changed, as: UTF8.self)) == nil, "\(index)")
        }
        let foreign = try Scene()
        try foreign.home.write("htpasswd", Self.ann)
        let theirs = try #require(try foreign.issue(.user("ann")))
        #expect(try scene.bearer(theirs) == nil, "another process's")
        for wrong in [
            "", "A", token + "A", String(token.dropLast()), "\(token)=",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.", String(repeating: "A", count: 100_000),
        ] {
            #expect(try scene.bearer(wrong) == nil)
        }
        let anonymous = try #require(try scene.issue(.anonymous))
        #expect(try scene.bearer(anonymous) == Caller(.anonymous, scopes: []))
    }

    @Test func robotsComeWithTheirTokenUntilItIsRevokedOrOver() throws {
        let scene = try Scene()
        let grant = try #require(Robot.Grant(parsing: "pull:r/**"))
        let now = scene.clock.wallSeconds
        let made = RobotFile.make(
            [grant], madeSeconds: now, expiresSeconds: now + 60, note: "ci\tof\nweb")
        let text = RobotFile.appending(made.line, to: Array("# robots".utf8))
        try scene.home.write("tokens", String(decoding: text, as: UTF8.self))
        #expect(!String(decoding: text, as: UTF8.self).contains(made.token))
        let caller = Caller(.robot(Robot(id: made.id, grants: [grant])))
        #expect(try scene.login("anything", Array(made.token.utf8)) == caller)
        #expect(try scene.bearer(made.token) == caller)
        let derived = try #require(try scene.issue(caller.principal))
        #expect(try scene.bearer(derived) == Caller(caller.principal, scopes: []))
        let wrong = String(made.token.dropLast()) + (made.token.hasSuffix("0") ? "1" : "0")
        #expect(try scene.bearer(wrong) == nil)
        #expect(try scene.bearer("cistern_\(made.id)_") == nil)
        let revoked = RobotFile.removing(made.id, from: text)
        try scene.home.write("tokens", String(decoding: revoked, as: UTF8.self))
        for token in [made.token, derived] { #expect(try scene.bearer(token) == nil, "revoked") }
        try scene.home.write("tokens", String(decoding: text, as: UTF8.self))
        #expect(try scene.bearer(made.token) == caller)
        scene.clock.advance(by: .seconds(60))
        for token in [made.token, derived] { #expect(try scene.bearer(token) == nil, "over") }
    }

    @Test(arguments: [
        "a", "repository:a", "repository::pull", "repository:a:", "catalog:*:*",
        "registry:catalog:pull", "repository:a b:pull", "repository:a:fly",
    ])
    func whatIsNoScopeOfARepositoryIsLeftOut(text: String) {
        #expect(TokenScope(parsing: text) == nil)
    }

    @Test func theCatalogHasAScopeOfItsOwn() throws {
        let scope = try #require(TokenScope(parsing: "registry:catalog:*"))
        #expect(scope.kind == .catalog && scope.text == "registry:catalog:*")
        #expect(!scope.covers(.pull, ofAnyOf: ["catalog", "registry"]))
        #expect(TokenScope(parsing: "repository:catalog:*") != scope)
    }

    @Test func scopesCoverWhatTheySay() throws {
        let some = try #require(TokenScope(parsing: "repository:host:5000/a:pull,fly"))
        #expect(some.name == "host:5000/a" && some.covers(.pull, ofAnyOf: ["b", "host:5000/a"]))
        #expect(
            !some.covers(.push, ofAnyOf: ["host:5000/a"]) && !some.covers(.pull, ofAnyOf: ["b"]))
        let all = try #require(TokenScope(parsing: "repository:a:*"))
        #expect(all.covers(.delete, ofAnyOf: ["a"]) && all.text == "repository:a:*")
    }
}

extension Authenticator.Finding {
    fileprivate var caller: Caller? {
        if case .known(let caller) = self { return caller }
        return nil
    }
}
