import COpenSSL
import HTTP
import Linux
import Reactor
import Server
import TLS
import Telemetry
import TestSupport
import Testing

/// Who may speak with a TLS listener, and how (TLS-4).
@Suite struct TLSHandshakeTests {
    private let fixture = try? TLSFixture.get()

    private func run(
        _ context: TLSContext, limits: ServerLimits = ServerLimits(),
        _ body: (TestServer) async throws -> Void
    ) async throws {
        try await TestServer.run(limits: limits, tls: context) { request in
            Response(status: 200, body: .bytes(Array("\(request.listener.isSecure)".utf8)))
        } _: {
            try await body($0)
        }
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func bothVersionsAreSpoken(_ version: Int32) async throws {
        let fixture = try #require(fixture)
        try await run(fixture.context()) { test in
            var options = fixture.options()
            options.versions = version...version
            options.protocols = ["h2", "http/1.1"]
            let client = try TestClient(port: test.port, tls: options)
            client.get("/")
            #expect(client.readAnswer()?.text == "true")
            #expect(client.tls?.version == version)
            #expect(client.tls?.chosenProtocol == "http/1.1")
        }
    }

    @Test func oldVersionsAndOtherProtocolsAreRefused() async throws {
        let fixture = try #require(fixture)
        try await run(fixture.context(from: .tls13)) { test in
            var options = fixture.options()
            options.versions = TLS1_VERSION...TLS1_2_VERSION
            #expect(throws: TestFailure.self) { try TestClient(port: test.port, tls: options) }
            options = fixture.options()
            options.protocols = ["h2"]
            #expect(throws: TestFailure.self) { try TestClient(port: test.port, tls: options) }
            // The client is told first.
            poll(within: .seconds(20)) { test.rejections.all.count == 2 }
            #expect(test.rejections.all == [.tlsHandshake, .tlsHandshake])
        }
        try await run(fixture.context()) { test in
            var options = fixture.options()
            options.versions = TLS1_VERSION...TLS1_1_VERSION
            #expect(throws: TestFailure.self) { try TestClient(port: test.port, tls: options) }
        }
    }

    @Test func theCertificateIsChosenByName() async throws {
        let fixture = try #require(fixture)
        try await run(fixture.context()) { test in
            let wanted = ["a.example": "a.example", "x.b.example": "*.b.example"]
            for (name, subject) in wanted {
                let client = try TestClient(port: test.port, tls: fixture.options(name))
                #expect(client.tls?.serverName == subject)
            }
            // A name that nobody knows, and none at all: the first certificate.
            for name in ["elsewhere.example", "b.example", nil] {
                let options = ClientTLS.Options(name: name)
                let client = try TestClient(port: test.port, tls: options)
                #expect(client.tls?.serverName == "a.example")
                client.get("/")
                #expect(client.readAnswer()?.status == 200)
            }
        }
    }

    @Test func whereNamesAreSaidOthersAreRefused() async throws {
        let fixture = try #require(fixture)
        try await run(fixture.context(names: ["cache.example"])) { test in
            for name in ["a.example", "Cache.example", nil] {
                _ = try TestClient(port: test.port, tls: ClientTLS.Options(name: name))
            }
            #expect(throws: TestFailure.self) {
                try TestClient(port: test.port, tls: ClientTLS.Options(name: "other.example"))
            }
        }
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func clientsShowACertificateWhereOneIsWanted(_ version: Int32) async throws {
        let fixture = try #require(fixture)
        let stranger = try TestAuthority(name: "stranger").issue(["client"])
        try await run(fixture.context(clients: true)) { test in
            for (pair, isServed) in [(fixture.client, true), (nil, false), (stranger, false)] {
                var options = fixture.options()
                options.versions = version...version
                options.pair = pair
                let client = try? TestClient(port: test.port, tls: options)
                client?.get("/")
                #expect((client?.readAnswer()?.status == 200) == isServed)
            }
        }
    }

    @Test func renegotiationIsRefused() async throws {
        let fixture = try #require(fixture)
        try await run(fixture.context()) { test in
            var options = fixture.options()
            options.versions = TLS1_2_VERSION...TLS1_2_VERSION
            let client = try TestClient(port: test.port, tls: options)
            client.get("/")
            #expect(client.readAnswer()?.status == 200)
            #expect(client.tls?.renegotiate() == false)
        }
    }

    @Test func keysMayBeChangedWithinAConnection() async throws {
        let fixture = try #require(fixture)
        try await run(fixture.context()) { test in
            let client = try TestClient(port: test.port, tls: fixture.options())
            for _ in 0..<3 {
                client.get("/")
                #expect(client.readAnswer()?.status == 200)
                #expect(client.tls?.updateKeys() == true)
            }
        }
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func aTicketResumesUntilTheCertificatesChange(_ version: Int32) async throws {
        let fixture = try #require(fixture)
        let context = try fixture.context(clients: true)
        try await run(context) { test in
            var options = fixture.options()
            options.versions = version...version
            options.pair = fixture.client
            var held: TestClient?
            for isResumed in [false, true, true, false] {
                if held != nil, !isResumed {
                    try test.listener.replace(tls: fixture.context(clients: true))
                }
                let client = try TestClient(port: test.port, tls: options)
                client.get("/")
                #expect(client.readAnswer()?.status == 200)
                #expect(client.tls?.isResumed == isResumed)
                options.session = client.tls?.resumable
                client.tls?.sayGoodbye()
                if held == nil { held = try TestClient(port: test.port, tls: options) }
            }
            // It was open all the time.
            held?.get("/")
            #expect(held?.readAnswer()?.status == 200)
        }
    }

    @Test func newCertificatesAreForNewHandshakes() async throws {
        let fixture = try #require(fixture)
        try await run(fixture.context()) { test in
            let old = try TestClient(port: test.port, tls: fixture.options())
            test.listener.replace(tls: try TLSContext([fixture.certificate(fixture.second)]))
            let new = try TestClient(port: test.port, tls: fixture.options("x.b.example"))
            for client in [old, new] {
                client.get("/")
                #expect(client.readAnswer()?.status == 200)
            }
            #expect(old.tls?.serverName == "a.example")
            #expect(new.tls?.serverName == "*.b.example")
        }
    }

    @Test func plainHTTPIsAnsweredInPlainHTTP() async throws {
        let fixture = try #require(fixture)
        try await run(fixture.context()) { test in
            for text in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "P"] {
                let client = try test.client()
                client.send(text)
                let answer = try #require(client.readAnswer())
                #expect(answer.status == 400)
                #expect(answer.text.contains("HTTPS"))
                #expect(client.readToEnd().isEmpty)
                #expect(client.end == .fin)
            }
            #expect(test.rejections.all == [.plainHTTP, .plainHTTP])
        }
    }

    // RES-5
    @Test(arguments: [0, 1, 40])
    func aSlowHandshakeIsCut(_ bytes: Int) async throws {
        let fixture = try #require(fixture)
        var limits = ServerLimits()
        limits.headerTimeout = .milliseconds(300)
        try await run(fixture.context(), limits: limits) { test in
            let watch = ContinuousClock.now
            let client = try test.client()
            client.send(Array(Self.hello.prefix(bytes)))
            #expect(client.readToEnd().isEmpty)
            #expect(ContinuousClock.now - watch < .seconds(10))
            #expect(test.rejections.all == (bytes > 0 ? [.headerTimeout] : []))
        }
    }

    // RES-6
    @Test func slowHandshakesMakeRoomFirst() async throws {
        let fixture = try #require(fixture)
        var limits = ServerLimits()
        limits.connectionsMax = 8
        try await run(fixture.context(), limits: limits) { test in
            let good = try TestClient(port: test.port, tls: fixture.options())
            good.get("/")
            #expect(good.readAnswer()?.status == 200)
            let slow = try (0..<7).map { _ in try test.client() }
            for client in slow { client.send(Array(Self.hello.prefix(40))) }
            let next = try TestClient(port: test.port, tls: fixture.options())
            for client in [good, next] {
                client.get("/")
                #expect(client.readAnswer()?.status == 200)
            }
        }
    }

    @Test func garbageEndsTheHandshakeOnly() async throws {
        let fixture = try #require(fixture)
        let seed: UInt64 = .random(in: 0 ... .max)
        var generator = Reactor.SeededGenerator(seed: seed)
        try await run(fixture.context()) { test in
            for _ in 0..<200 {
                let client = try test.client()
                var bytes = Self.hello
                let start = Int.random(in: 1..<bytes.count, using: &generator)
                for index in start..<bytes.count where Bool.random(using: &generator) {
                    bytes[index] = .random(in: 0...255, using: &generator)
                }
                client.send(bytes)
                client.finish()
                let answer = client.readToEnd()
                #expect(client.end != .timeout, "seed \(seed)")
                // An alert, or the server's part of a handshake that was not hurt much.
                #expect(answer.isEmpty || [0x15, 0x16].contains(answer[0]), "seed \(seed)")
            }
            let client = try TestClient(port: test.port, tls: fixture.options())
            client.send(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            #expect(client.readAnswer()?.status == 200)
        }
    }

    /// How a client's hello begins: a record of 512 bytes, TLS 1.3 and 1.2.
    private static let hello: [UInt8] =
        [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3] + pattern(32) + [32] + pattern(32, seed: 2)
        + [0, 4, 0x13, 0x01, 0xC0, 0x2B, 1, 0] + pattern(432, seed: 3)
}
