import Testing

@testable import Access

/// What the one deciding function says (AUTH-4).
@Suite struct AccessRulesTests {
    private func pattern(_ text: String) throws -> AccessPattern {
        try #require(AccessPattern(parsing: text), "\(text)")
    }

    @Test(arguments: [
        ("*", "releases", "a/b", true), ("**", "releases", "a", true),
        ("releases", "releases", "a/b/c", true), ("releases", "releases2", "a", false),
        ("rel*", "releases", "a/b", true), ("releases/**", "releases", "a/b", true),
        ("releases/*", "releases", "a", true), ("releases/*", "releases", "a/b", false),
        ("releases/web", "releases", "web", true), ("releases/web", "releases", "web/x", false),
        ("releases/web-*/x", "releases", "web-1/x", true),
        ("releases/**/x", "releases", "a/b/x", true), ("releases/**/x", "releases", "x", true),
        ("releases/**/x", "releases", "a/b", false),
        ("*/library/*", "docker.io", "library/nginx", true),
        ("a*b*c/**", "aXbYc", "z", true), ("a*b*c/**", "aXcYb", "z", false),
        ("Releases", "releases", "a", false),
    ])
    func patternsFit(text: String, repository: String, name: String, fits: Bool) throws {
        #expect(try pattern(text).matches(repository, name) == fits)
    }

    @Test(arguments: ["", "/", "a/", "/a", "a//b", "a b", "a\u{0}b", "ä", "a,b", "a?"])
    func whatNoNameHasIsNoPattern(text: String) {
        #expect(AccessPattern(parsing: text) == nil)
    }

    @Test func manyStarsTakeNoLongerThanTheyMust() throws {
        let stars = try pattern("a/" + String(repeating: "**/a*a*/", count: 60) + "z")
        let name = Array(repeating: "aaaaaaaaaaaaaaab", count: 120).joined(separator: "/")
        #expect(!stars.matches("a", name))
    }

    @Test func withoutRulesEverybodyPullsAndNobodyElse() {
        for action in Action.allCases {
            let decision: Decision = action == .pull ? .allowed : .denied
            #expect(AccessRules.open.decide(action, "a", "b", .anonymous) == decision)
        }
        for pulls in [true, false] {
            let rules = AccessRules(anonymousMayPull: pulls, takesLogins: true)
            for action in Action.allCases {
                let isPull = action == .pull
                #expect(
                    rules.decide(action, "a", "b", .anonymous)
                        == (isPull && pulls ? .allowed : .loginNeeded))
                #expect(
                    rules.decide(action, "a", "b", .user("ann")) == (isPull ? .allowed : .denied))
            }
        }
    }

    @Test func theFirstRuleThatIsAboutBothDecides() throws {
        let rules = AccessRules(
            anonymousMayPull: true, takesLogins: true,
            rules: [
                .init(users: ["ann"], repositories: [try pattern("r/secret/**")], allow: []),
                .init(users: ["@ops"], repositories: [try pattern("r/**")], allow: [.admin]),
                .init(users: ["ci-*"], repositories: [try pattern("r")], allow: [.pull, .push]),
                .init(users: ["*"], repositories: [try pattern("r/secret/**")], allow: []),
                .init(users: ["*"], repositories: [try pattern("drop")], allow: [.push]),
            ], groups: ["ops": ["ann", "bob"]])
        func decide(_ action: Action, _ name: String, _ user: String?) -> Decision {
            let parts = name.split(separator: "/", maxSplits: 1)
            return rules.decide(
                action, String(parts[0]), String(parts[1]), user.map { .user($0) } ?? .anonymous)
        }
        #expect(decide(.pull, "r/secret/x", "ann") == .denied, "forbidden before allowed")
        #expect(decide(.push, "r/secret/x", "bob") == .allowed, "admin is all")
        #expect(decide(.delete, "r/x", "ann") == .allowed)
        #expect(decide(.push, "r/x", "ci-1") == .allowed)
        #expect(decide(.delete, "r/x", "ci-1") == .denied)
        #expect(decide(.pull, "r/secret/x", "eve") == .denied)
        #expect(decide(.pull, "r/x", "eve") == .allowed)
        #expect(decide(.push, "r/x", "eve") == .denied)
        #expect(decide(.push, "r/x", "@ops") == .denied, "a name is no group")
        // Everybody is everybody, but without a login nobody gets more than pulls.
        #expect(decide(.pull, "r/secret/x", nil) == .loginNeeded)
        #expect(decide(.pull, "r/x", nil) == .allowed)
        #expect(decide(.push, "drop/x", "eve") == .allowed)
        #expect(decide(.push, "drop/x", nil) == .loginNeeded)
        #expect(decide(.pull, "drop/x", nil) == .loginNeeded)
    }

    @Test func robotsMayWhatTheirTokensSayAndNothingElse() throws {
        let rules = AccessRules(
            anonymousMayPull: true, takesLogins: true,
            rules: [.init(users: ["*"], repositories: [try pattern("*")], allow: [.admin])])
        let grant = try #require(Robot.Grant(parsing: "pull,push:r/web/**"))
        #expect(grant.text == "pull,push:r/web/**")
        let robot = Principal.robot(Robot(id: "a", grants: [grant]))
        #expect(rules.decide(.push, "r", "web/x", robot) == .allowed)
        #expect(rules.decide(.delete, "r", "web/x", robot) == .denied)
        #expect(rules.decide(.pull, "r", "api/x", robot) == .denied)
        for wrong in ["", ":", "pull", "pull:", ":r", "pul:r", "pull,:r", "pull:a b"] {
            #expect(Robot.Grant(parsing: wrong) == nil, "\(wrong)")
        }
    }
}
