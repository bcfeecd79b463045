import TestSupport
import Testing

@testable import Configuration

/// Several upstreams, whose logins never mix (CRED-1, CRED-4), and none at all.
@Suite struct UpstreamsTests {
    private func proxy(_ lines: String) -> String {
        "[repositories.\"quay.io\"]\ntype = \"proxy\"\n\(lines)\n"
    }

    @Test func theyStayInOrderWithALoginEach() throws {
        let directory = try TemporaryDirectory()
        let secret = try directory.write("secret", "pw", mode: 0o600)
        let read = try accept(
            proxy(
                """
                upstreams = [
                  "http://parent.example:5000/quay.io",
                  { url = "https://mirror.example", realms = ["https://auth.mirror.example/t"] },
                  { url = "https://quay.io", username = "ann", password = { file = "\(secret)" } },
                ]
                """))
        let upstreams = try #require(read.repositories[0].proxy?.upstreams)
        #expect(
            upstreams.map { "\($0.url)" } == [
                "http://parent.example:5000/quay.io", "https://mirror.example", "https://quay.io",
            ])
        #expect(upstreams.map { $0.credentials?.username } == [nil, nil, "ann"])
        #expect(upstreams[0].realms.isEmpty)
        #expect(upstreams[1].realms.map { "\($0)" } == ["https://auth.mirror.example/t"])
        #expect(upstreams[2].realms.map { "\($0)" } == ["https://quay.io/v2/auth"])
        #expect(read.repositories[0].proxy?.hasLogin == true)
    }

    @Test func oneUpstreamIsAListOfOne() throws {
        let read = try accept(proxy("upstream = \"https://a.example\""))
        #expect(read.repositories[0].proxy?.upstreams.map { "\($0.url)" } == ["https://a.example"])
    }

    // AUTH-8: a login at any of them makes it private.
    @Test func aLoginAtAnyUpstreamIsNotToBeShared() throws {
        let directory = try TemporaryDirectory()
        let secret = try directory.write("secret", "pw", mode: 0o600)
        let errors = try refuse(
            "[[listener]]\naddress = \"0.0.0.0:5000\"\n"
                + proxy(
                    """
                    upstreams = [
                      { url = "http://a.example", username = "u", password = { file = "\(secret)" } },
                      "https://quay.io",
                    ]
                    """))
        #expect(errors.diagnostics.contains { $0.message.contains("quay.io") })
    }

    @Test(arguments: [
        ("upstream = \"https://a.b\"\nupstreams = [\"https://c.d\"]", "conflict"),
        ("upstreams = []", "bad-value"), ("upstreams = \"https://a.b\"", "bad-type"),
        ("upstreams = [1]", "bad-type"), ("upstreams = [\"a.b\"]", "bad-url"),
        ("upstreams = [{ username = \"a\" }]", "missing-key"),
        ("upstreams = [{ url = \"https://a.b\", user = \"x\" }]", "unknown-key"),
        ("upstreams = [{ url = \"https://a.b\", username = \"x\" }]", "missing-key"),
        ("upstreams = [\"https://a.b\", \"https://a.b/\"]", "duplicate"),
        ("upstreams = [\"https://a.b\"]\nrealms = [\"https://a.b/token\"]", "conflict"),
        ("upstreams = [\"https://a.b\"]\nusername = \"x\"", "conflict"),
        (
            "upstreams = [{ url = \"https://a.b\", realms = [\"http://a.b/token\"] }]", "bad-url"
        ),
        (
            "upstreams = [" + (0..<9).map { "\"https://a\($0).b\"" }.joined(separator: ",") + "]",
            "bad-value"
        ),
        ("offline = \"yes\"", "bad-type"),
        ("offline = true\nauth = \"passthrough\"", "conflict"),
        ("upstreams = [\"https://a.b\", \"https://c.d\"]\nauth = \"passthrough\"", "conflict"),
    ])
    func whatIsAmbiguousIsRefused(lines: String, code: String) throws {
        #expect(try refuse(proxy(lines)).diagnostics.map(\.code).contains(code))
    }

    @Test func theyCanComeFromTheEnvironment() throws {
        var environment = home
        environment["CISTERN__REPOSITORIES__QUAY_IO__UPSTREAMS"] =
            "[\"http://a.example\", { url = \"https://quay.io\" }]"
        environment["CISTERN__DEFAULTS__PROXY__OFFLINE"] = "true"
        let read = try accept(proxy(""), environment: environment)
        #expect(read.repositories[0].proxy?.upstreams.count == 2)
        #expect(read.repositories[0].proxy?.offline == true)
    }
}
