import Configuration
import Testing

@Suite struct RepositoryTests {
    @Test func aProxyTakesItsOwnValueThenTheDefaultsOfAll() throws {
        let configuration = try accept(
            """
            [defaults.proxy]
            tag_ttl = "1h"
            retries = 1
            allow_networks = ["10.0.0.0/8"]

            [repositories.docker-hub]
            type = "proxy"
            registry = "index.docker.io"
            tag_ttl = "5m"

            [repositories."Registry.Example.org:5000"]
            type = "proxy"
            """.replacing("Registry.Example", with: "registry.example"))
        let hub = try #require(configuration.proxy(ofRegistry: "docker.io"))
        #expect(hub.name == "docker-hub")
        #expect(hub.proxy?.tagTTL == .seconds(300))
        #expect(hub.proxy?.retries == 1)
        let other = try #require(configuration.repositories.last?.proxy)
        #expect(other.registry == "registry.example.org:5000")
        #expect("\(other.upstreams[0].url)" == "https://registry.example.org:5000")
        #expect(other.tagTTL == .seconds(3600))
        #expect(other.allowNetworks.map { "\($0)" } == ["10.0.0.0/8"])
    }

    @Test func groupsKeepTheirOrderAndEnd() throws {
        let configuration = try accept(
            """
            [repositories.z]
            type = "group"
            members = ["b", "a"]
            [repositories.a]
            type = "proxy"
            registry = "a.example"
            [repositories.b]
            type = "group"
            members = ["c", "a"]
            [repositories.c]
            type = "proxy"
            registry = "c.example"
            """)
        #expect(configuration.repositories.map(\.name) == ["z", "a", "b", "c"])
        #expect(configuration.proxies(below: "z").map(\.name) == ["c", "a"])
        #expect(configuration.proxies(below: "nothing").isEmpty)
    }

    @Test(arguments: [
        ("members = [\"a\"]", "cycle"), ("members = []", "missing-key"), ("", "missing-key"),
        ("members = [\"x\", \"x\"]", "duplicate"), ("members = [\"nothing\"]", "unknown-member"),
        ("members = \"x\"", "bad-type"), ("members = [1]", "bad-type"),
        ("members = [\"x\"]\nregistry = \"q.io\"", "unknown-key"),
    ])
    func groupsThatCannotWorkAreRefused(lines: String, code: String) throws {
        let errors = try refuse(
            """
            [repositories.a]
            type = "group"
            \(lines)
            [repositories.x]
            type = "proxy"
            registry = "x.example"
            """)
        #expect(errors.diagnostics.map(\.code) == [code])
    }

    @Test func groupsAreNestedEightDeepAtMost() throws {
        var text = "[repositories.g0]\ntype = \"proxy\"\nregistry = \"a.b\"\n"
        for level in 1...8 {
            text += "[repositories.g\(level)]\ntype = \"group\"\nmembers = [\"g\(level - 1)\"]\n"
        }
        _ = try accept(text)
        let deep =
            "[repositories.g10]\ntype = \"group\"\nmembers = [\"g9\"]\n"
            + "[repositories.g9]\ntype = \"group\"\nmembers = [\"g8\"]\n" + text
        #expect(try refuse(deep).diagnostics.map(\.code).contains("cycle"))
    }

    @Test func aHostedRepositoryIsMutableAndKeepsEverything() throws {
        let configuration = try accept("[repositories.mine]\ntype = \"hosted\"\n")
        let hosted = configuration.repository(named: "mine")?.hosted
        #expect(hosted?.tags == .mutable)
        #expect(hosted?.allowsDelete == false)
        #expect(hosted?.maxSize == nil && hosted?.keep == nil)
    }

    @Test func aHostedRepositoryHasRules() throws {
        let configuration = try accept(
            """
            [repositories.mine]
            type = "hosted"
            tags = "immutable except latest"
            delete = true
            max_size = "1GiB"
            keep = { last = 20, newer_than = "90d" }
            [repositories.all]
            type = "group"
            members = ["mine"]
            push_to = "mine"
            [repositories.outer]
            type = "group"
            members = ["all"]
            push_to = "mine"
            """)
        let hosted = configuration.repository(named: "mine")?.hosted
        #expect(hosted?.tags == .immutableExceptLatest)
        #expect(hosted?.allowsDelete == true)
        #expect(hosted?.maxSize == 1 << 30)
        #expect(hosted?.keep?.last == 20)
        #expect(hosted?.keep?.newerThan == .seconds(90 * 86_400))
        #expect(configuration.repository(named: "all")?.group?.pushTo == "mine")
        #expect(configuration.hosted(below: "all") == ["mine"])
        #expect(configuration.repository(named: "outer")?.group?.pushTo == "mine")
    }

    @Test(arguments: [
        ("push_to = \"b\"", "unknown-member"), ("push_to = \"other\"", "conflict"),
        ("push_to = \"hub\"", "conflict"),
    ])
    func whatIsPushedToAGroupMustBeFoundInIt(line: String, code: String) throws {
        let errors = try refuse(
            """
            [repositories.all]
            type = "group"
            members = ["mine", "hub"]
            \(line)
            [repositories.mine]
            type = "hosted"
            [repositories.other]
            type = "hosted"
            [repositories.hub]
            type = "proxy"
            registry = "docker.io"
            """)
        #expect(errors.diagnostics.map(\.code) == [code])
    }

    @Test(arguments: ["keep = {}", "keep = 20", "keep = { last = 0 }", "keep = { newest = 3 }"])
    func keepSaysWhatStays(line: String) throws {
        let errors = try refuse("[repositories.mine]\ntype = \"hosted\"\n\(line)\n")
        #expect(!errors.diagnostics.isEmpty)
    }

    @Test(arguments: ["allow = [\"Acme/*\"]", "deny = [\"/a\"]", "allow = [\"\"]"])
    func patternsAreOfNames(line: String) throws {
        let errors = try refuse(
            "[repositories.\"a.b\"]\ntype = \"proxy\"\n\(line)\n")
        #expect(errors.diagnostics.map(\.code) == ["bad-value"])
    }

    @Test(arguments: [
        ("[repositories.A]\ntype=\"proxy\"\nregistry=\"a.b\"", "bad-name"),
        ("[repositories.v2]\ntype=\"proxy\"\nregistry=\"a.b\"", "bad-name"),
        ("[repositories.\"a/b\"]\ntype=\"proxy\"\nregistry=\"a.b\"", "bad-name"),
        ("[repositories.\"\"]\ntype=\"proxy\"\nregistry=\"a.b\"", "bad-name"),
        ("[repositories.a]\ntype=\"proxy\"", "missing-key"),
        ("[repositories.a]\nregistry=\"a.b\"", "missing-key"),
        ("[repositories.a]\ntype=\"prox\"", "bad-value"),
        ("[repositories.a]\ntype=\"proxy\"\nregistry=\"https://a.b\"", "bad-value"),
        ("[repositories.a]\ntype=\"proxy\"\nregistry=\"a.b\"\nupstream=\"a.b\"", "bad-url"),
        (
            "[repositories.a]\ntype=\"proxy\"\nregistry=\"a.b\"\nupstream=\"https://a.b/v2/\"",
            "bad-url"
        ),
        (
            "[repositories.a]\ntype=\"proxy\"\nregistry=\"a.b\"\nrealms=[\"http://a.b/t\"]",
            "bad-url"
        ),
        ("[repositories.a]\ntype=\"proxy\"\nregistry=\"a.b\"\nusername=\"u\"", "missing-key"),
        ("[repositories.a]\ntype=\"proxy\"\nregistry=\"a.b\"\nca_file=\"/nonexistent\"", "file"),
        ("[repositories.a]\ntype=\"proxy\"\nregistry=\"a.b\"\nretries=11", "bad-value"),
        ("[repositories.a]\ntype=\"proxy\"\nregistry=\"a.b\"\nretries=\"3\"", "bad-type"),
        (
            "[repositories.a]\ntype=\"proxy\"\nregistry=\"a.b\"\nallow_networks=[\"10.0.0.1/8\"]",
            "bad-value"
        ),
        ("repositories.a = 1", "bad-type"), ("repositories = 1", "bad-type"),
        ("defaults = 1", "bad-type"), ("defaults.proxy = 1", "bad-type"),
        ("defaults.group.x = 1", "unknown-key"), ("version = 2", "bad-value"),
    ])
    func otherRepositoriesAreRefused(text: String, code: String) throws {
        #expect(try refuse(text).diagnostics.map(\.code) == [code])
    }

    @Test func eachRegistryHasOneProxyAndOneName() throws {
        let same = try refuse(
            """
            [repositories.a]
            type = "proxy"
            registry = "docker.io"
            [repositories."registry-1.docker.io"]
            type = "proxy"
            """)
        #expect(places(same).contains("duplicate 4:15"))
        let shadow = try refuse(
            """
            [repositories.a]
            type = "proxy"
            registry = "quay.io"
            [repositories."quay.io"]
            type = "group"
            members = ["a"]
            """)
        #expect(places(shadow) == ["duplicate 4:15"])
    }

    @Test func anErrorInTheDefaultsIsReportedOnce() throws {
        let errors = try refuse("[defaults.proxy]\ntag_ttl = 5\n")
        #expect(places(errors) == ["bad-duration 2:11"])
    }

    // CRED-1: a login for another upstream is nothing for Docker Hub's token service.
    @Test func builtInRealmsBelongToTheirUpstream() throws {
        let configuration = try accept(
            """
            [repositories."docker.io"]
            type = "proxy"
            upstream = "https://mirror.example.org"
            realms = ["https://login.example.org/token"]
            """)
        let realms = configuration.repositories[0].proxy?.upstreams[0].realms.map { "\($0)" }
        #expect(realms == ["https://login.example.org/token"])
    }

    // TLS-1
    @Test func unverifiedUpstreamsAreWarnedAbout() throws {
        let configuration = try accept(
            "[repositories.\"a.b\"]\ntype = \"proxy\"\ninsecure = true\n")
        #expect(configuration.warnings.map(\.message) == ["`a.b` checks no certificate of a.b"])
        #expect(configuration.repositories[0].proxy?.insecure == true)
        #expect(places(try refuse("[defaults.proxy]\ninsecure = true\n")) == ["unknown-key 2:1"])
        let login = "[defaults.proxy]\nusername = \"a\"\npassword = { env = \"HOME\" }\n"
        #expect(places(try refuse(login)) == ["unknown-key 2:1", "unknown-key 3:1"])
    }

    // AUTH-3
    @Test func loginsArePassedOnWhereSomebodyWroteSo() throws {
        let proxy = "[repositories.\"a.b\"]\ntype = \"proxy\"\n"
        #expect(try accept(proxy).repositories[0].proxy?.authentication == .configured)
        let passing = proxy + "auth = \"passthrough\"\n"
        let open = "[[listener]]\naddress = \":5000\"\n"
        let configuration = try accept(passing + open)
        #expect(configuration.repositories[0].proxy?.authentication == .passthrough)
        let own = passing + "username = \"ann\"\npassword = { env = \"T\" }\n"
        let two = try refuse(own, environment: ["HOME": "/home/ann", "T": "x"])
        #expect(places(two) == ["conflict 3:8"])
        let group = "[repositories.g]\ntype = \"group\"\nmembers = [\"a.b\"]\n"
        #expect(places(try refuse(passing + group)) == ["conflict 6:12"])
        #expect(
            try refuse(proxy + "auth = \"yes\"\n").diagnostics.map(\.code) == ["bad-value"])
    }
}
