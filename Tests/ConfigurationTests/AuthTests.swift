import Access
import TestSupport
import Testing

@testable import Configuration

/// `[auth]`: who may (AUTH-4, AUTH-8).
@Suite struct AuthTests {
    @Test func withoutTheTableThereAreNoLogins() throws {
        #expect(try accept("").auth == nil)
        let empty = try #require(try accept("[auth]").auth)
        #expect(empty.anonymous == .pull && empty.htpasswd == nil && empty.url == nil)
        #expect(empty.tokens == "/home/ann/.local/share/cistern/tokens")
        #expect(empty.realm == "Cistern" && empty.rules.isEmpty && empty.groups.isEmpty)
        #expect(empty.accessRules.takesLogins)
    }

    @Test func everyKeyIsRead() throws {
        let auth = try #require(
            try accept(
                """
                [auth]
                anonymous = "none"
                htpasswd = "/nowhere/htpasswd"
                tokens = "/etc/tokens"
                realm = "Site"
                url = "https://registry.example.org:5443"
                [[auth.rule]]
                users = ["ci-*", "@ops"]
                repositories = ["quay.io", "docker.io/library/**"]
                allow = ["pull", "push"]
                [[auth.rule]]
                users = ["*"]
                repositories = ["*"]
                allow = []
                [auth.groups]
                ops = ["ann", "bob"]
                """
            ).auth)
        #expect(auth.anonymous == .none && auth.htpasswd == "/nowhere/htpasswd")
        #expect(auth.tokens == "/etc/tokens" && auth.realm == "Site")
        #expect(auth.url == "https://registry.example.org:5443")
        #expect(auth.rules.map(\.users) == [["ci-*", "@ops"], ["*"]])
        #expect(auth.rules.map(\.allow) == [[.pull, .push], []])
        #expect(auth.rules[0].repositories.map(\.text) == ["quay.io", "docker.io/library/**"])
        #expect(auth.groups == ["ops": ["ann", "bob"]])
    }

    @Test func theEnvironmentSetsItToo() throws {
        var environment = home
        environment["CISTERN__AUTH__ANONYMOUS"] = "none"
        environment["CISTERN__AUTH__GROUPS"] = "{ ops = [\"ann\"] }"
        let auth = try #require(try accept("", environment: environment).auth)
        #expect(auth.anonymous == .none && auth.groups == ["ops": ["ann"]])
    }

    @Test(arguments: [
        ("[auth]\nanonymus = \"pull\"", "unknown-key 2:1"),
        ("[auth]\nanonymous = \"push\"", "bad-value 2:13"),
        ("[auth]\nhtpasswd = \"htpasswd\"", "bad-value 2:12"),
        ("[auth]\nrealm = \"a\\\"b\"", "bad-value 2:9"),
        ("[auth]\nurl = \"registry.example.org\"", "bad-url 2:7"),
        ("[auth]\nurl = \"https://a/b\"", "bad-url 2:7"),
        ("[auth]\nrule = 3", "bad-type 2:8"),
        ("[auth]\ngroups = []", "bad-type 2:10"),
        ("[auth.groups]\nops = \"ann\"", "bad-type 2:7"),
        ("[[auth.rule]]\nusers = [\"a\"]\nrepositories = [\"*\"]", "missing-key 1:1"),
        (
            "[[auth.rule]]\nusers = [\"@op\"]\nrepositories = [\"*\"]\nallow = []\n"
                + "[auth.groups]\nops = []", "unknown-member 2:10"
        ),
        (
            "[[auth.rule]]\nusers = []\nrepositories = [\"quay.oi/**\"]\nallow = []",
            "unknown-member 3:17"
        ),
        (
            "[[auth.rule]]\nusers = []\nrepositories = [\"a//b\"]\nallow = []", "bad-value 3:17"
        ),
        (
            "[[auth.rule]]\nusers = []\nrepositories = []\nallow = [\"pul\"]", "bad-value 4:10"
        ),
        ("[[auth.rule]]\nuser = []\nrepositories = []\nallow = []", "unknown-key 2:1"),
    ])
    func slipsAreNamedWithTheirPlace(text: String, place: String) throws {
        let errors = try refuse(text)
        #expect(places(errors).contains(place), "\(text)\n\(errors)")
    }

    @Test func oneHeaderCannotMeanTwoThings() throws {
        let proxy = "[repositories.\"quay.io\"]\ntype = \"proxy\"\nauth = \"passthrough\"\n"
        _ = try accept(proxy)
        let errors = try refuse("[auth]\n\(proxy)")
        #expect(errors.diagnostics.map(\.code) == ["conflict"])
    }

    // AUTH-8: what a login opens is for those who log in.
    @Test func aLoginForClientsIsWhatSharingPrivatelyTakes() throws {
        var environment = home
        environment["PASSWORD"] = "hunter2"
        let text = """
            [[listener]]
            address = "0.0.0.0:5000"
            [repositories."quay.io"]
            type = "proxy"
            username = "a"
            password = { env = "PASSWORD" }
            """
        #expect(try refuse(text, environment: environment).diagnostics.map(\.code) == ["exposed"])
        let open = "[auth]\nanonymous = \"pull\"\n\(text)"
        #expect(try refuse(open, environment: environment).diagnostics.map(\.code) == ["exposed"])
        _ = try accept("[auth]\nanonymous = \"none\"\n\(text)", environment: environment)
    }

    @Test func linesThatLetNobodyInAreToldWithoutTheirHash() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write(
            "htpasswd", "# users\nann:$apr1$SECRETSE$CRET\nbob\n", mode: 0o600)
        let errors = try refuse("[auth]\nhtpasswd = \"\(path)\"")
        #expect(places(errors) == ["password-file 2:12", "password-file 2:12"])
        let text = "\(errors)"
        #expect(text.contains("\(path):2: ann") && text.contains("\(path):3: "))
        #expect(text.contains("htpasswd -B") && !text.contains("SECRETSE"))
        let missing = try accept("[auth]\nhtpasswd = \"\(path).not\"")
        #expect(missing.warnings.map(\.code) == ["password-file"])
    }
}
