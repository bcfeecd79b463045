import TestSupport
import Testing

/// Tokens, redirects, credentials and addresses (CRED-1 to CRED-8, SSRF-1 to SSRF-4).
@Suite("E30 upstream manners", .realParts)
struct E30_UpstreamTests {
    private let image = ImageFixture(seed: 30)

    private func start(
        _ persona: LoopbackRegistry.Persona, extra: String = "", secret: String? = nil
    ) throws -> (LoopbackRegistry, DaemonProcess, Puller) {
        let upstream = try LoopbackRegistry(persona)
        upstream.add(image, "library/a")
        let home = try TemporaryDirectory()
        var lines = extra
        if let secret {
            let file = try home.write("secret", secret, mode: 0o600)
            lines +=
                "\nusername = \"robot\"\npassword = { file = \"\(file)\" }\nshare_private = true"
        }
        let daemon = try DaemonProcess(DaemonConfiguration(upstream, extra: lines), home: home)
        return (upstream, daemon, Puller(daemon, "/v2/docker.io/library/a"))
    }

    // protocol.md §2.3: library/, tokens per scope, HEAD to revalidate, no Authorization at the
    // CDN.
    @Test func dockerHubIsPulledAsItWants() throws {
        let (upstream, daemon, _) = try start(.dockerHub)
        #expect(try Puller(daemon, "/v2/docker.io/library/a").pull(image) == [])
        let tokens = upstream.requests("", role: .token)
        #expect(tokens.count == 1)
        #expect(tokens.first?.query("scope") == ["repository:library/a:pull"])
        #expect(tokens.first?.query("service") == ["registry.docker.io"])
        #expect(upstream.requests("", role: .cdn).allSatisfy { $0["Authorization"] == nil })
        #expect(upstream.requests("", role: .cdn).allSatisfy { $0["Cookie"] == nil })
        #expect(try Puller(daemon, "/v2/docker.io/a").pull(image) == [], "library/ is implied")
    }

    // protocol.md §2.4: no expires_in, same-origin realm, 302.
    @Test func quayIsPulledAsItWants() throws {
        let (upstream, daemon, puller) = try start(.quay)
        #expect(try puller.pull(image) == [])
        #expect(upstream.count("/v2/auth") == 1)
        withExtendedLifetime(daemon) {}
    }

    @Test(arguments: ["plain-secret", #"p#&%:@/ +"ü\$"#])
    func credentialsGoToTheRealmAndNowhereElse(password: String) throws {
        // CRED-1, CRED-5, CRED-6
        let (upstream, daemon, puller) = try start(.dockerHub, secret: password)
        upstream.state.with { $0.credentials = ("robot", password) }
        #expect(try puller.pull(image) == [])
        let basic = "Basic " + base64("robot:\(password)")
        for request in upstream.requests where request.role != .token {
            #expect(request["Authorization"] != basic)
        }
        #expect(daemon.stop() == .exited(0))
        for canary in [password, base64("robot:\(password)"), "c4n4ry", "s3cret-signature"] {
            #expect(!daemon.log.contains(canary), "in the log: \(canary)")
        }
    }

    @Test func basicUpstreamsWork() throws {
        let (upstream, daemon, puller) = try start(.basic, secret: "pw")
        upstream.state.with { $0.credentials = ("robot", "pw") }
        #expect(try puller.pull(image) == [])
        withExtendedLifetime(daemon) {}
    }

    // CRED-1: CVE-2026-33540, CVE-2026-48978 in the peers.
    @Test func aForeignRealmGetsNothing() throws {
        let (upstream, daemon, puller) = try start(.dockerHub, secret: "pw")
        let evil = upstream.evil.url
        for realm in [
            "\(evil)/token", "http://user@\(evil.dropFirst(7))/token", "file:///etc/passwd",
            "http://169.254.169.254/token", "gopher://127.0.0.1/", "", "\(evil)/token#x",
        ] {
            upstream.heal()
            upstream.inject(
                .challenge(#"Bearer realm="\#(realm)",service="registry.docker.io",scope="a""#),
                on: "/v2/", method: nil, role: .registry)
            let answer = try RawClient.request(
                daemon.address, puller.manifest(image.index.digest))
            #expect(answer.status >= 400 && answer.status != 401, "\(realm) \(answer.status)")
        }
        #expect(upstream.evil.connectionCount == 0)
    }

    // CRED-3, SSRF-3
    @Test func redirectsToForbiddenPlacesAreRefused() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        let blob = image.platforms[0].layers[1]
        // Only the upstream's own address is allowed: the evil one is another loopback network.
        let evil = try LoopbackServer(address: "127.0.0.66") { _ in
            ResponsePlan(body: TestContent("evil"))
        }
        let table = """
            [repositories."docker.io"]
            type = "proxy"
            registry = "docker.io"
            upstream = "\(upstream.url)"
            allow_networks = ["127.0.0.13/32"]
            """
        let daemon = try DaemonProcess(DaemonConfiguration([table]))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        for location in [
            "http://169.254.169.254/latest/meta-data", "\(evil.url)/x", "file:///etc/passwd",
            "ftp://127.0.0.1/x", "http://user:pw@127.0.0.66:\(evil.port)/",
            "http://[::1]:\(evil.port)/", "http://0.0.0.0:\(evil.port)/",
            "//127.0.0.66:\(evil.port)/",
            "http://127.0.0.66:\(evil.port)/" + String(repeating: "a", count: 9000),
        ] {
            upstream.heal()
            upstream.inject(.redirect(location), on: blob.digest)
            let answer = try puller.get(blob, timeout: .seconds(20))
            #expect(answer.status >= 400, "\(location.prefix(60)) \(answer.status)")
        }
        #expect(evil.connectionCount == 0)
    }

    @Test func redirectLoopsEnd() throws {
        let (upstream, daemon, puller) = try start(.plain)
        let blob = image.platforms[0].layers[1]
        upstream.inject(
            .redirect("\(upstream.url)/v2/library/a/blobs/\(blob.digest)"), on: blob.digest)
        let answer = try puller.get(blob)
        #expect(answer.status == 502)
        #expect(upstream.count(blob.digest) <= 6 * 3, "five hops a try")
        withExtendedLifetime(daemon) {}
    }

    // protocol.md §10.4.8
    @Test func aTokenServiceThatFailsIsNotA401() throws {
        for fault: UpstreamFault in [
            .status(401), .status(403), .status(500), .captivePortal, .dropped, .endlessHeaders,
            .otherBody(TestContent(seed: 1, size: 1 << 20)), .otherBody(TestContent("{}")),
        ] {
            let (upstream, daemon, puller) = try start(.dockerHub)
            upstream.inject(fault, on: "/token")
            let answer = try RawClient.request(daemon.address, puller.manifest("latest"))
            #expect(answer.status >= 400 && ![401, 408, 429].contains(answer.status), "\(fault)")
            #expect(answer["WWW-Authenticate"] == nil)
        }
    }

    // protocol.md §10.4.8: a token that dies in mid-transfer.
    @Test func aRevokedTokenIsReplaced() throws {
        let (upstream, daemon, puller) = try start(.dockerHub)
        #expect(try RawClient.request(daemon.address, puller.manifest("latest")).status == 200)
        upstream.state.with { $0.revokeTokens() }
        let blob = image.platforms[0].layers[1]
        #expect(try puller.get(blob).isRight)
        upstream.state.with { $0.revokeTokens() }
        let next = image.platforms[1].layers[1]
        upstream.inject(.truncate(at: 300_000), on: next.digest, role: .cdn, times: 1)
        #expect(try puller.get(next).isRight)
    }

    // CRED-4: a client's Authorization stays here.
    @Test func theClientsCredentialsNeverGoUpstream() throws {
        let (upstream, daemon, puller) = try start(.dockerHub)
        let answer = try RawClient.request(
            daemon.address, puller.manifest("latest"),
            fields: [("Authorization", "Basic Y2xpZW50OnNlY3JldA=="), ("Cookie", "a=b")])
        #expect([200, 401, 403].contains(answer.status))
        for request in upstream.requests {
            #expect(request["Authorization"]?.contains("Y2xpZW50") != true)
            #expect(request["Cookie"] == nil)
        }
    }

    // RES-4, VSV00009, GHSA-4px2: what an upstream may put into its head.
    @Test func strangeHeadersDoNotComeThrough() throws {
        let (upstream, daemon, puller) = try start(.plain)
        upstream.inject(
            .header("Set-Cookie", "a=b"), .header("NEL", "x"), .header("X-Secret", "y"),
            .header("Strict-Transport-Security", "z"), on: "/v2/", method: nil)
        let answer = try RawClient.request(daemon.address, puller.manifest("latest"))
        #expect(answer.status == 200)
        for name in ["Set-Cookie", "NEL", "X-Secret", "Strict-Transport-Security"] {
            #expect(answer[name] == nil)
        }
        withExtendedLifetime(daemon) {}
    }

    // TLS-2 and OPS: a plain answer on a port that should speak TLS is an error, not HTTP.
    @Test func httpsIsNeverDowngraded() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        let table = """
            [repositories."docker.io"]
            type = "proxy"
            registry = "docker.io"
            upstream = "https://\(upstream.authority)"
            allow_networks = ["127.0.0.0/8"]
            """
        let daemon = try DaemonProcess(DaemonConfiguration([table]))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let answer = try RawClient.request(daemon.address, puller.manifest("latest"))
        #expect([502, 503, 504].contains(answer.status))
        #expect(upstream.count() == 0)
    }
}
