import HTTP
import Linux
import Reactor
import Server
import Telemetry
import Testing

/// Requests in all shapes that a socket can give them.
@Suite struct RequestTests {
    static let echo: @Sendable (Request) async -> Response = { request in
        Response(
            status: 200, fields: ["Content-Type": "text/plain"],
            body: .bytes(Array("\(request.head.method) \(request.head.target.path)".utf8)))
    }

    @Test func aRequestIsAnsweredAndTheConnectionKept() async throws {
        try await TestServer.run(handler: Self.echo) { test in
            let client = try test.client()
            for path in ["/one", "/two", "/three"] {
                client.get(path)
                let answer = try #require(client.readAnswer())
                #expect(answer.statusLine == "HTTP/1.1 200 OK")
                #expect(answer.text == "GET \(path)")
                #expect(answer.field("Date")?.hasSuffix(" GMT") == true)
                #expect(answer.field("Connection") == nil)
                #expect(answer.field("Server") == nil)
            }
            #expect(test.listener.openConnections == 1)
        }
    }

    @Test func aRequestMayArriveByteByByte() async throws {
        try await TestServer.run(handler: Self.echo) { test in
            let client = try test.client()
            for byte in Array("GET /slow HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n".utf8) {
                client.send([byte])
            }
            #expect(client.readAnswer()?.text == "GET /slow")
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        try await TestServer.run(handler: Self.echo) { test in
            let client = try test.client()
            let requests = (0..<500).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }
            client.send(requests.joined())
            for index in 0..<500 {
                let answer = try #require(client.readAnswer())
                #expect(answer.text == "GET /\(index)")
            }
        }
    }

    @Test func headSendsTheSameFieldsAndNoBody() async throws {
        try await TestServer.run(handler: Self.echo) { test in
            let client = try test.client()
            client.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try #require(client.readAnswer(toHead: true))
            #expect(answer.field("Content-Length") == "7")
            // The next answer begins directly behind the head.
            client.get("/y")
            #expect(client.readAnswer()?.text == "GET /y")
        }
    }

    @Test func http10EndsUnlessItAsksToStay() async throws {
        try await TestServer.run(handler: Self.echo) { test in
            let closing = try test.client()
            closing.send("GET /a HTTP/1.0\r\n\r\n")
            #expect(closing.readAnswer()?.field("Connection") == "close")
            #expect(closing.readToEnd().isEmpty)
            #expect(closing.end == .fin)
            let staying = try test.client()
            for _ in 0..<2 {
                staying.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                #expect(staying.readAnswer()?.field("Connection") == "keep-alive")
            }
        }
    }

    @Test func connectionCloseIsHonoured() async throws {
        try await TestServer.run(handler: Self.echo) { test in
            let client = try test.client()
            client.get("/a", fields: "Connection: close\r\n")
            #expect(client.readAnswer()?.field("Connection") == "close")
            #expect(client.readToEnd().isEmpty)
            #expect(client.end == .fin)
        }
    }

    @Test func aClientMayEndItsDirectionBeforeItReads() async throws {
        try await TestServer.run(handler: Self.echo) { test in
            let client = try test.client()
            client.get("/half")
            client.finish()
            #expect(client.readAnswer()?.text == "GET /half")
            #expect(client.readToEnd().isEmpty)
        }
    }

    @Test(arguments: [
        // HTTP-1
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        // HTTP-2: the body's framing is checked before the answer
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n",
        // HTTP-4
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        // HTTP-10
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ])
    func badFramingIsRefusedAndNothingBehindItParsed(_ request: String) async throws {
        try await TestServer.run(handler: Self.echo) { test in
            let client = try test.client()
            client.send(request + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try #require(client.readAnswer())
            #expect([400, 505].contains(answer.status))
            #expect(answer.field("Connection") == "close")
            #expect(answer.field("Content-Type") == "application/json")
            #expect(client.readToEnd().isEmpty)
            #expect(client.end == .fin)
        }
    }

    @Test func limitsOnTheHeadHaveTheirOwnStatus() async throws {
        // RES-1
        let long = String(repeating: "a", count: 9 << 10)
        let fields = (0..<101).map { "X-\($0): y\r\n" }.joined()
        let large = "X: \(String(repeating: "b", count: 33 << 10))\r\n"
        let unknown = "Transfer-Encoding: gzip\r\n"
        let expect = "Expect: the-best\r\n"
        for (request, status) in [
            ("GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            ("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n", 431),
            ("GET / HTTP/1.1\r\nHost: a\r\n\(large)\r\n", 431),
            ("GET / HTTP/1.1\r\nHost: a\r\n\(unknown)\r\n", 501),
            ("GET / HTTP/1.1\r\nHost: a\r\n\(expect)\r\n", 417),
        ] {
            try await TestServer.run(handler: Self.echo) { test in
                let client = try test.client()
                client.send(request)
                #expect(client.readAnswer()?.status == status)
                #expect(client.readToEnd().isEmpty)
                #expect(client.end == .fin)
            }
        }
    }

    @Test func aRangeHeaderOfTwentyKilobytesPasses() async throws {
        try await TestServer.run(handler: Self.echo) { test in
            let client = try test.client()
            let ranges = (0..<1024).map { "\($0)00000000-\($0)00000009" }.joined(separator: ",")
            client.get("/ranges", fields: "Range: bytes=\(ranges)\r\n")
            #expect(client.readAnswer()?.text == "GET /ranges")
        }
    }

    @Test func smallBodiesOfRequestsAreDropped() async throws {
        try await TestServer.run(handler: Self.echo) { test in
            let client = try test.client()
            client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n")
            client.send([UInt8](repeating: 120, count: 60000))
            #expect(client.readAnswer()?.text == "POST /a")
            client.send(
                "GET /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "5\r\nhello\r\n0\r\n\r\n")
            #expect(client.readAnswer()?.text == "GET /b")
            client.get("/c")
            #expect(client.readAnswer()?.text == "GET /c")
        }
    }

    @Test func aLargeBodyIsAnsweredAtOnceAndEndsTheConnectionInOrder() async throws {
        try await TestServer.run(handler: Self.echo) { test in
            let client = try test.client()
            client.send("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n")
            client.send([UInt8](repeating: 120, count: 300_000))
            let answer = try #require(client.readAnswer())
            #expect(answer.text == "PUT /a")
            #expect(answer.field("Connection") == "close")
            #expect(client.readToEnd().isEmpty)
            #expect(client.end == .fin)
        }
    }

    @Test func expectContinueGetsTheFinalAnswerInstead() async throws {
        // HTTP-3
        try await TestServer.run(handler: Self.echo) { test in
            let client = try test.client()
            client.send(
                "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            let answer = try #require(client.readAnswer())
            #expect(answer.status == 200)
            #expect(answer.field("Connection") == "close")
            #expect(client.readToEnd().isEmpty)
        }
    }

    @Test func aTLSHelloIsAnsweredInHTTPAtItsFirstBytes() async throws {
        // clients.md 1
        try await TestServer.run(handler: Self.echo) { test in
            let client = try test.client()
            client.send([0x16, 0x03])
            let answer = try #require(client.readAnswer())
            #expect(answer.statusLine == "HTTP/1.1 400 Bad Request")
            #expect(answer.text.contains("http://"))
            client.send([0x01, 0x02, 0x00, 0x01])
            #expect(client.readToEnd().isEmpty)
            #expect(client.end == .fin)
            #expect(test.rejections.all == [.tlsHello])
        }
    }

    @Test func onlyConfiguredHostsAreServed() async throws {
        // HTTP-6
        let hosts: Set<String> = ["localhost", "127.0.0.1", "[::1]"]
        try await TestServer.run(hostnames: hosts, handler: Self.echo) { test in
            for host in ["localhost", "LocalHost:5000", "127.0.0.1:5000", "[::1]:5000"] {
                let client = try test.client()
                client.send("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
                #expect(client.readAnswer()?.status == 200)
            }
            for host in ["evil.example", "localhost.evil.example", "[::2]"] {
                let client = try test.client()
                client.send("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
                #expect(client.readAnswer()?.status == 421)
                #expect(client.readToEnd().isEmpty)
            }
        }
    }

    @Test func handlersCannotOverruleTheFraming() async throws {
        let handler: TestServer.Handler = { _ in
            Response(
                status: 200, reason: "Fine",
                fields: [
                    "Content-Length": "99", "Transfer-Encoding": "chunked", "Connection": "x",
                    "Date": "never", "X-Kept": "yes",
                ], body: .bytes([65]))
        }
        try await TestServer.run(handler: handler) { test in
            let client = try test.client()
            client.get("/")
            let answer = try #require(client.readAnswer())
            #expect(answer.statusLine == "HTTP/1.1 200 Fine")
            #expect(answer.text == "A")
            #expect(answer.field("Transfer-Encoding") == nil)
            #expect(answer.field("Connection") == nil)
            #expect(answer.field("Date") != "never")
            #expect(answer.field("X-Kept") == "yes")
            #expect(answer.fields.count { $0.name == "Content-Length" } == 1)
        }
    }
}
