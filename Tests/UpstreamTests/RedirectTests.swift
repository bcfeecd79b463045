import Linux
import OCI
import Reactor
import Testing

@testable import Upstream

/// A registry that sends every blob to the CDN, with a Basic challenge of its own.
private func withRegistry(
    to location: String, status: Int = 307, _ body: (ScriptedServer) async throws -> Void
) async throws {
    try await withServer(
        { request in
            request["authorization"] == nil
                ? Step.unauthorized("Basic realm=\"x\"") : Step.redirect(location, status)
        }, body)
}

private func withCredentials(_ settings: inout UpstreamSettings) {
    settings.credentials = .init(username: [0x61], password: [0x62])
    settings.allowNetworks = ["127.0.0.0/8"].compactMap { Network(parsing: $0) }
}

@Suite struct RedirectTests {
    @Test(arguments: [301, 302, 303, 307, 308])
    func anotherOriginGetsNoCredentials(status: Int) async throws {  // CRED-3
        try await withServer(
            { _ in Step.response(200, "content") },
            { cdn in
                try await withRegistry(to: cdn.url + "/x?sig=1", status: status) { server in
                    let harness = try Harness(server.url, withCredentials)
                    defer { harness.stop() }
                    let (code, body) = try await harness.get(.layer("a"))
                    #expect(code == 200 && body == Array("content".utf8))
                    #expect(cdn.requests.map(\.target) == ["/x?sig=1"])
                    #expect(cdn.requests[0]["authorization"] == nil)
                    #expect(cdn.requests[0]["accept-encoding"] == "identity")
                    #expect(harness.exchanges.all.last?.kind == .redirect)
                }
            })
    }

    @Test func credentialsNeverComeBackInAChain() async throws {  // CRED-3
        try await withServer(
            { request in
                Step.redirect("http://\(request.target.dropFirst())/back")
            },
            { cdn in
                try await withServer(
                    { request in
                        if request.target == "/back" {
                            // Asked without credentials: not even a challenge gets them out again.
                            return Step.unauthorized("Basic realm=\"x\"")
                        }
                        return request["authorization"] == nil
                            ? Step.unauthorized("Basic realm=\"x\"")
                            : Step.redirect("\(cdn.url)/\(request["host"] ?? "")")
                    },
                    { server in
                        let harness = try Harness(server.url, withCredentials)
                        defer { harness.stop() }
                        let (code, _) = try await harness.get(.layer("a"))
                        #expect(code == 401)
                        let back = server.requests.filter { $0.target == "/back" }
                        #expect(back.count == 1)
                        #expect(back[0]["authorization"] == nil)
                        #expect(cdn.requests.allSatisfy { $0["authorization"] == nil })
                    })
            })
    }

    @Test func theSameOriginKeepsThem() async throws {
        try await withServer(
            { request in
                if request["authorization"] == nil { return Step.unauthorized("Basic realm=\"x\"") }
                return request.target.hasPrefix("/v2/a/")
                    ? Step.redirect("/elsewhere?x=1") : Step.response(200, "content")
            },
            { server in
                let harness = try Harness(server.url, withCredentials)
                defer { harness.stop() }
                #expect(try await harness.get(.layer("a")).0 == 200)
                #expect(server.requests.last?.target == "/elsewhere?x=1")
            })
    }

    @Test func fiveHopsAreFollowedAndNoMore() async throws {  // CRED-3, RES-4
        try await withServer(
            { request in
                guard let hop = Int(request.target.dropFirst()) else { return Step.redirect("/1") }
                return hop == 5 ? Step.response(200, "x") : Step.redirect("/\(hop + 1)")
            },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                #expect(try await harness.get(.layer("a")).0 == 200)
            })
        try await withServer(
            { _ in Step.redirect("/again") },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                #expect(await harness.failure(of: .layer("a")) == .refusedRedirect("too many hops"))
                #expect(server.requests.count == 6)
            })
    }

    @Test(arguments: [
        "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "http://u:p@127.0.0.1/",
        "http://127.0.0.1/#f", "http://127.0.0.1\\@evil/", "http:///x", "//",
        "http://127.0.0.1/LONG", "http://127.0.0.1:0/",
        "http://127.0.0.1:99999/", "dict://x/",
    ])
    func anOddTargetIsRefused(location: String) async throws {  // SSRF-2
        let long = String(repeating: "a", count: 9000)
        let location = location.split(separator: "LONG", omittingEmptySubsequences: false)
            .joined(separator: long)
        try await withServer(
            { _ in Step.redirect(location) },
            { server in
                let harness = try Harness(server.url, withCredentials)
                defer { harness.stop() }
                let error = try #require(await harness.failure(of: .layer("a")))
                #expect(error.reason == "refused")
                #expect(server.requests.count == 1)
            })
    }

    @Test(arguments: [
        "127.0.0.1", "127.0.0.13", "127.1", "2130706433", "0x7f.1", "0.0.0.0", "[::1]",
        "[::ffff:127.0.0.1]", "localhost", "169.254.169.254",
    ])
    func addressesThatAreNotPublicAreRefused(host: String) async throws {  // SSRF-3
        try await withServer(
            { _ in Step.response(200, "secret") },
            { inside in
                try await withServer(
                    { _ in
                        Step.redirect("http://\(host):\(inside.port)/")
                    },
                    { server in
                        let harness = try Harness(server.url)
                        defer { harness.stop() }
                        let error = try #require(await harness.failure(of: .layer("a")))
                        guard case .refusedAddress = error else {
                            Issue.record("\(host): \(error)")
                            return
                        }
                        #expect(inside.connections == 0)
                    })
            })
    }

    @Test func aListedNetworkIsAllowed() async throws {  // SSRF-3
        try await withServer(
            host: "127.0.0.13", { _ in Step.response(200, "x") },
            { cdn in
                try await withServer(
                    { _ in Step.redirect(cdn.url + "/") },
                    { server in
                        let harness = try Harness(server.url) {
                            $0.allowNetworks = [Network(parsing: "127.0.0.13/32")!]
                        }
                        defer { harness.stop() }
                        #expect(try await harness.get(.layer("a")).0 == 200)
                    })
            })
    }

    @Test func aPooledConnectionIsCheckedAgain() async throws {  // SSRF-3
        // The upstream's own origin is free; the same connection must not serve a redirect
        // that names the same address otherwise.
        try await withServer(
            { request in
                request.target.hasPrefix("/v2/a/")
                    ? Step.redirect(
                        "http://localhost:\(request["host"]?.split(separator: ":")[1] ?? "")/")
                    : Step.response(200, "x")
            },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                #expect(try await harness.get(.layer("b")).0 == 200)
                let error = await harness.failure(of: .layer("a"))
                #expect(error?.reason == "refused")
            })
    }

    @Test func manifestsAreRedirectedListsAreNot() async throws {
        try await withServer(
            { request in
                request.target.hasPrefix("/v2/")
                    ? Step.redirect("/there") : Step.response(200, "{}")
            },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                #expect(try await harness.get(.tag("a", "1")).0 == 200)
                let name = try #require(RepositoryName(parsing: "a"))
                let error = await harness.failure(of: .tags(name, limit: nil, last: nil))
                #expect(error?.reason == "refused")
            })
    }

    @Test(arguments: [304, 300, 305]) func otherRedirectionsAreBad(status: Int) async throws {
        try await withServer(
            { _ in [.head(status, [:]), .close] },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                #expect(await harness.failure(of: .layer("a"))?.reason == "bad_response")
            })
    }

    @Test func fromHTTPSToHTTPIsRefused() throws {  // CRED-3, TLS-2
        var chain = RedirectChain(from: try #require(RemoteURL(parsing: "https://a/x")), hopsMax: 5)
        try chain.follow(location: "https://A:443/y")
        #expect(chain.mayAuthenticate)
        try chain.follow(location: "//a:444/y")
        #expect(!chain.mayAuthenticate)
        try chain.follow(location: "https://a/z")
        #expect(!chain.mayAuthenticate)
        #expect(throws: UpstreamError.self) { try chain.follow(location: "http://a/z") }
        #expect(throws: UpstreamError.self) { try chain.follow(location: nil) }
    }
}
