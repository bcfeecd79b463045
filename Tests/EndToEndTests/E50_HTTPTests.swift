import TestSupport
import Testing

/// What the server says to well-formed, odd and hostile requests (HTTP-1 to HTTP-10, RES-1).
@Suite("E50 HTTP", .realParts)
struct E50_HTTPTests {
    private let image = ImageFixture(seed: 50)

    private func start(_ tables: String = "") throws -> (LoopbackRegistry, DaemonProcess, Puller) {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        var configuration = DaemonConfiguration(upstream)
        configuration.tables.append(tables)
        let daemon = try DaemonProcess(configuration)
        return (upstream, daemon, Puller(daemon, "/v2/docker.io/library/a"))
    }

    /// Requests that must be refused, followed by a request that must not be heard.
    private static let attacks: [(name: String, head: String, statuses: [Int])] = [
        (
            "length and chunked",
            "POST /v2/ HTTP/1.1\r\nHost: H\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            [400]
        ),
        (
            "two lengths",
            "GET /v2/ HTTP/1.1\r\nHost: H\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n", [400]
        ),
        (
            "same length twice",
            "GET /v2/ HTTP/1.1\r\nHost: H\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", [400]
        ),
        ("list of lengths", "GET /v2/ HTTP/1.1\r\nHost: H\r\nContent-Length: 0, 0\r\n\r\n", [400]),
        ("signed length", "GET /v2/ HTTP/1.1\r\nHost: H\r\nContent-Length: +0\r\n\r\n", [400]),
        ("hex length", "GET /v2/ HTTP/1.1\r\nHost: H\r\nContent-Length: 0x0\r\n\r\n", [400]),
        (
            "huge length",
            "GET /v2/ HTTP/1.1\r\nHost: H\r\nContent-Length: 99999999999999999999\r\n\r\n",
            [400, 413]
        ),
        (
            "unknown coding", "GET /v2/ HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: xchunked\r\n\r\n",
            [400, 501]
        ),
        (
            "coding list",
            "GET /v2/ HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", [400, 501]
        ),
        (
            "coding in 1.0",
            "GET /v2/ HTTP/1.0\r\nHost: H\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]
        ),
        ("space before colon", "GET /v2/ HTTP/1.1\r\nHost: H\r\nContent-Length : 0\r\n\r\n", [400]),
        ("folded line", "GET /v2/ HTTP/1.1\r\nHost: H\r\nX: a\r\n b\r\n\r\n", [400]),
        ("bare line feed", "GET /v2/ HTTP/1.1\nHost: H\n\n", [400]),
        ("bare line feed in fields", "GET /v2/ HTTP/1.1\r\nHost: H\nX: y\r\n\r\n", [400]),
        ("bare return", "GET /v2/ HTTP/1.1\r\nHost: H\r\nX: a\rb\r\n\r\n", [400]),
        ("null in a field", "GET /v2/ HTTP/1.1\r\nHost: H\r\nX: a\0b\r\n\r\n", [400]),
        ("control in a name", "GET /v2/ HTTP/1.1\r\nHost: H\r\nX\u{1}: a\r\n\r\n", [400]),
        ("no host", "GET /v2/ HTTP/1.1\r\n\r\n", [400]),
        ("two hosts", "GET /v2/ HTTP/1.1\r\nHost: H\r\nHost: H\r\n\r\n", [400]),
        ("empty name", "GET /v2/ HTTP/1.1\r\nHost: H\r\n: x\r\n\r\n", [400]),
        (
            "foreign absolute form", "GET http://evil.example/v2/ HTTP/1.1\r\nHost: H\r\n\r\n",
            [400, 421]
        ),
        ("version 2", "GET /v2/ HTTP/2.0\r\nHost: H\r\n\r\n", [400, 505]),
        ("version nonsense", "GET /v2/ HTTX/1.1\r\nHost: H\r\n\r\n", [400, 505]),
        ("two spaces", "GET  /v2/ HTTP/1.1\r\nHost: H\r\n\r\n", [400]),
        ("h2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400, 505]),
        ("unknown expectation", "GET /v2/ HTTP/1.1\r\nHost: H\r\nExpect: wonders\r\n\r\n", [417]),
        (
            "chunk with sign",
            "POST /v2/ HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: chunked\r\n\r\n+0\r\n\r\n",
            [400, 405, 404]
        ),
        (
            "chunk with 0x",
            "POST /v2/ HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
            [400, 405, 404]
        ),
        (
            "long line",
            "GET /v2/\(String(repeating: "a", count: 9000)) HTTP/1.1\r\nHost: H\r\n\r\n", [414]
        ),
        (
            "large header",
            "GET /v2/ HTTP/1.1\r\nHost: H\r\nX: \(String(repeating: "a", count: 40_000))\r\n\r\n",
            [431]
        ),
        (
            "many fields",
            "GET /v2/ HTTP/1.1\r\nHost: H\r\n\(String(repeating: "X: y\r\n", count: 120))\r\n",
            [431]
        ),
        (
            "many parameters",
            "GET /v2/?\((0..<40).map { "a\($0)=1" }.joined(separator: "&")) HTTP/1.1\r\nHost: H\r\n\r\n",
            [400]
        ),
    ]

    @Test func badFramingIsRefusedAndNothingAfterItIsHeard() throws {
        let (upstream, daemon, _) = try start()
        for attack in Self.attacks {
            let client = try RawClient(daemon.address)
            let smuggled =
                "GET /v2/docker.io/library/smuggled/manifests/x HTTP/1.1\r\nHost: H\r\n\r\n"
            let text = (attack.head + smuggled).replacing(
                "Host: H\r\n", "Host: \(daemon.address)\r\n")
            try? client.send(raw: text)
            do {
                let answer = try client.response()
                #expect(attack.statuses.contains(answer.status), "\(attack.name): \(answer.status)")
                #expect(!answer.keepsAlive, "\(attack.name)")
            } catch SocketError.reset {
                Issue.record("\(attack.name): reset instead of an answer")
            }
            #expect(client.isAtEnd(), "\(attack.name): still open")
        }
        #expect(upstream.count("smuggled") == 0)
        #expect(try RawClient.request(daemon.address, "/v2/").status == 200)
    }

    // clients.md, "What follows for a mirror" 1.
    @Test func aTlsHelloIsAnsweredByHttpAtOnce() throws {
        let (upstream, daemon, _) = try start()
        let client = try RawClient(daemon.address)
        var hello: [UInt8] = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03]
        hello += [UInt8](repeating: 0xAB, count: 506)
        let watch = Stopwatch()
        try client.socket.send(hello)
        #expect(try client.response().status == 400)
        #expect(client.isAtEnd())
        #expect(watch.seconds < 2)
        let output = try Command.run(
            "curl", ["-sk", "-o", "/dev/null", "https://\(daemon.address)/v2/"])
        #expect(output.code != 0)
        withExtendedLifetime(upstream) {}
    }

    @Test func aConnectionServesManyRequestsAndPipelines() throws {
        let (upstream, daemon, puller) = try start()
        #expect(try puller.pull(image) == [])
        let client = try RawClient(daemon.address)
        let blob = image.platforms[0].layers[1]
        var pipelined = ""
        for _ in 0..<20 {
            pipelined += "GET \(puller.blob(blob)) HTTP/1.1\r\nHost: \(daemon.address)\r\n\r\n"
            pipelined +=
                "HEAD \(puller.manifest("latest")) HTTP/1.1\r\nHost: \(daemon.address)\r\n\r\n"
        }
        try client.send(raw: pipelined)
        for _ in 0..<20 {
            #expect(try client.response(sink: .compare(blob)).isRight)
            #expect(try client.response(to: "HEAD").contentLength == image.index.content.size)
        }
        try client.send(
            raw: "GET /v2/ HTTP/1.1\r\nHost: \(daemon.address)\r\nConnection: close\r\n\r\n")
        let last = try client.response()
        #expect(last.status == 200 && !last.keepsAlive)
        #expect(client.isAtEnd())
        withExtendedLifetime(upstream) {}
    }

    @Test func aRequestMayComeByteByByte() throws {
        let (upstream, daemon, _) = try start()
        let client = try RawClient(daemon.address)
        for character in "GET /v2/ HTTP/1.1\r\nHost: \(daemon.address)\r\nX-A: b\r\n\r\n" {
            try client.send(raw: String(character))
        }
        #expect(try client.response().status == 200)
        withExtendedLifetime(upstream) {}
    }

    // HTTP-9: also where no chunk could tell that the body is bad.
    @Test func http10IsToldInWordsThatABlobIsBad() throws {
        let upstream = try LoopbackRegistry()
        let blob = TestContent(seed: 501, size: 1 << 20)
        upstream.add(blob)
        upstream.inject(.framing(.chunked), .flip(at: 900_000), on: blob.digest)
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let client = try RawClient(daemon.address)
        let target = Puller(daemon, "/v2/docker.io/library/a").blob(blob)
        try client.send(raw: "GET \(target) HTTP/1.0\r\nHost: \(daemon.address)\r\n\r\n")
        let answer = try client.response()
        #expect(answer.status == 502)
        #expect(answer.text.contains(#""code":"UNAVAILABLE""#))
        #expect(answer["Retry-After"] != nil && answer.reason != "Bad Gateway")
    }

    @Test func http10ClosesUnlessAskedToStay() throws {
        let (upstream, daemon, puller) = try start()
        #expect(try puller.pull(image) == [])
        let client = try RawClient(daemon.address)
        let blob = image.platforms[0].layers[1]
        try client.send(raw: "GET \(puller.blob(blob)) HTTP/1.0\r\nHost: \(daemon.address)\r\n\r\n")
        let answer = try client.response(sink: .compare(blob))
        #expect(answer.isRight && !answer.isChunked)
        #expect(client.isAtEnd())
        withExtendedLifetime(upstream) {}
    }

    // HTTP-3
    @Test func expect100IsHonoured() throws {
        let (upstream, daemon, _) = try start()
        let client = try RawClient(daemon.address)
        try client.send(
            "/v2/docker.io/library/a/manifests/x", method: "PUT",
            fields: [("Content-Length", "1000000"), ("Expect", "100-continue")])
        let answer = try client.response()
        #expect([403, 405].contains(answer.status), "refused without reading the body")
        #expect(!answer.keepsAlive)
        #expect(client.isAtEnd())
        withExtendedLifetime(upstream) {}
    }

    // HTTP-6, CVE-2024-28224
    @Test func aForeignHostOnLoopbackIsRefused() throws {
        let (upstream, daemon, _) = try start()
        let client = try RawClient(daemon.address)
        try client.send(raw: "GET /v2/ HTTP/1.1\r\nHost: rebind.example.org\r\n\r\n")
        #expect(try client.response().status == 421)
        for host in ["localhost", "127.0.0.1", "[::1]", daemon.address] {
            let client = try RawClient(daemon.address)
            try client.send(raw: "GET /v2/ HTTP/1.1\r\nHost: \(host)\r\n\r\n")
            #expect(try client.response().status == 200, "\(host)")
        }
        withExtendedLifetime(upstream) {}
    }

    // RES-5
    @Test func slowHeadersAndIdleConnectionsAreEnded() throws {
        let (upstream, daemon, _) = try start(
            "[limits]\nheader_timeout = \"1s\"\nidle_timeout = \"1s\"")
        let watch = Stopwatch()
        let slow = try RawClient(daemon.address)
        try slow.send(raw: "GET /v2/ HTTP/1.1\r\nHos")
        let idle = try RawClient(daemon.address)
        #expect(try idle.request("/v2/").status == 200)
        let silent = try RawClient(daemon.address)
        #expect(idle.isAtEnd())
        #expect(silent.isAtEnd())
        // A 408 may come first.
        _ = try? slow.rest()
        #expect(watch.seconds < 10)
        withExtendedLifetime(upstream) {}
    }

    // RES-6
    @Test func connectionsPerAddressAreLimited() throws {
        let (upstream, daemon, _) = try start(
            "[limits]\nconnections_per_address = 20\nidle_timeout = \"30s\"")
        let held = try (0..<40).map { _ in try RawClient(daemon.address) }
        for client in held { try? client.send("/v2/") }
        let served = held.count { client in
            client.socket.setTimeout(.seconds(1))
            return (try? client.response().status) == 200
        }
        #expect(served >= 1)
        #expect(poll { daemon.descriptorCount < 120 })
        for client in held { client.socket.close() }
        #expect(poll { (try? RawClient.request(daemon.address, "/v2/").status) == 200 })
        withExtendedLifetime(upstream) {}
    }

    // RES-6: whoever looks after a full daemon still reaches it.
    @Test func theAdminAddressIsReachedWhenClientsUseUpTheirConnections() throws {
        let (upstream, daemon, _) = try start(
            "[limits]\nconnections_per_address = 20\nidle_timeout = \"30s\"")
        let held = try (0..<20).map { _ in try RawClient(daemon.address) }
        for client in held { #expect(try client.request("/v2/").status == 200) }
        for path in ["/healthz", "/readyz", "/metrics"] {
            #expect(try RawClient.request(daemon.admin, path).status == 200)
        }
        withExtendedLifetime((upstream, held)) {}
    }

    // P10 in small: slow and silent clients hurt nobody.
    @Test func silentClientsDoNotHurtOthers() throws {
        let (upstream, daemon, puller) = try start()
        #expect(try puller.pull(image) == [])
        let silent = try (0..<100).map { _ in try RawClient(daemon.address) }
        for client in silent { try client.send(raw: "GET /v2/ HT") }
        let watch = Stopwatch()
        for _ in 0..<20 { #expect(try puller.pull(image) == []) }
        #expect(watch.seconds < 20)
        withExtendedLifetime((upstream, silent)) {}
    }
}

extension String {
    /// Replaces all occurrences, without Foundation.
    fileprivate func replacing(_ part: String, _ other: String) -> String {
        var result = ""
        var rest = self[...]
        while let first = rest.first {
            if rest.hasPrefix(part) {
                result += other
                rest = rest.dropFirst(part.count)
            } else {
                result.append(first)
                rest = rest.dropFirst()
            }
        }
        return result
    }
}
