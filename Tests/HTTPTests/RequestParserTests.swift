import Testing

@testable import HTTP

/// HTTP-1, HTTP-3, HTTP-4, HTTP-10, RES-1: what is a request head and what is none.
struct RequestParserTests {
    private func outcome(_ text: String) -> Outcome {
        let bytes = Array(text.utf8)
        let outcome = Outcome.atOnce(bytes)
        #expect(Outcome.byteByByte(bytes) == outcome)
        return outcome
    }

    @Test func headSaysWhatTheBytesSay() throws {
        let text = """
            PUT /v2/a%2Db/blobs/uploads/x?digest=sha256%3Aab&n=1 HTTP/1.1\r
            host: Cache.Example:5000\r
            Content-Length: 42\r
            X-Empty:\r
            Expect: 100-Continue\r
            x-empty:  two \t\r
            \r\n
            """
        let head = try #require(try parsedHead(text))
        #expect(head.method == .put)
        #expect(head.target.path == "/v2/a-b/blobs/uploads/x")
        #expect(head.target.first("digest") == "sha256:ab")
        #expect(head.target.rawQuery == "digest=sha256%3Aab&n=1")
        #expect(head.version == .http11)
        #expect(head.host == "Cache.Example:5000")
        #expect(head.hostName == "cache.example")
        #expect(head.contentLength == 42)
        #expect(head.hasBody && !head.isChunked && head.keepAlive && head.expectsContinue)
        #expect(head.headers.all("X-EMPTY") == ["", "two"])
        #expect(head.headers[first: "Host"] == "Cache.Example:5000")
        #expect(head.headers[first: "Absent"] == nil)
        #expect(head.headers.count == 5)
    }

    @Test func severalRequestsAreReadOneAfterTheOther() throws {
        let first = request("/v2/")
        let second = request("/v2/a/tags/list", fields: "A: b\r\n")
        let bytes = Array((first + second + "GET").utf8)
        var parser = RequestParser()
        var start = 0
        var paths = [String]()
        while let (head, consumed) = try bytes[start...].withUnsafeBytes({ try parser.parse($0) }) {
            paths.append(head.target.path)
            start += consumed
        }
        #expect(paths == ["/v2/", "/v2/a/tags/list"])
        #expect(bytes.count - start == 3)
    }

    @Test(arguments: [
        "GET  /v2/ HTTP/1.1", "GET /v2/  HTTP/1.1", " GET /v2/ HTTP/1.1", "GET /v2/ HTTP/1.1 ",
        "GET\t/v2/\tHTTP/1.1", "GET /v2/", "GET", "GET /v2/ http/1.1", "GET /v2/ HTTP/1.1x",
        "GET /v2/ HTTP/1,1", "GET /v2/ HTTP/11", "GET /v2/ HTTPS/1.1", "G(T /v2/ HTTP/1.1",
        "GÉT /v2/ HTTP/1.1", "GET /v2/ /v2/ HTTP/1.1", "\"GET /v2/ HTTP/1.1",
    ])
    func malformedRequestLinesAreRefused(line: String) {
        #expect(outcome(line + "\r\nHost: a\r\n\r\n").status == 400)
    }

    @Test(
        arguments: [
            ("HTTP/1.2", 505), ("HTTP/2.0", 505), ("HTTP/0.9", 505), ("HTTP/9.9", 505),
            ("HTTP/1.1", nil), ("HTTP/1.0", nil),
        ] as [(String, Int?)])
    func onlyTwoVersionsAreSpoken(version: String, status: Int?) {
        #expect(outcome(request(version: version)).status == status)
    }

    @Test func tlsAndHTTP2AreToldApart() {
        // clients.md: dockerd falls back to HTTP only after an HTTP answer.
        #expect(Outcome.atOnce([0x16]) == .refused(.tlsHello))
        #expect(Outcome.atOnce([0x16, 3, 1, 0, 200]) == .refused(.tlsHello))
        #expect(outcome("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == .refused(.http2Preface))
    }

    @Test(arguments: ["SSH-2.0-OpenSSH_9.2\r\n", "GET /\r\n", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"])
    func otherProtocolsAreRefusedAfterTheirFirstLine(text: String) {
        #expect(outcome(text) == .refused(.badRequestLine))
    }

    @Test func oneEmptyLineBeforeARequestIsSkipped() {
        #expect(outcome("\r\n" + request()).status == nil)
        #expect(outcome("\r\n\r\n" + request()).status == 400)
        #expect(outcome("\n" + request()).status == 400)
        #expect(outcome("\rGET /v2/ HTTP/1.1\r\n").status == 400)
    }

    @Test(arguments: [
        ("GET /v2/ HTTP/1.1\nHost: a\r\n\r\n", RequestError.bareLineFeed),
        ("GET /v2/ HTTP/1.1\r\nHost: a\n\r\n", .bareLineFeed),
        ("GET /v2/ HTTP/1.1\r\nHost: a\r\n\n", .bareLineFeed),
        ("GET /v2/ HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", .controlInField),
        ("GET /v2/ HTTP/1.1\r\nHost: a\r\n\rX: a\r\n\r\n", .controlInField),
        ("GET /v2/ HTTP/1.1\rX\r\nHost: a\r\n\r\n", .badRequestLine),
        ("GET /v2/ HTTP/1.1\r\n Host: a\r\n\r\n", .foldedField),
        ("GET /v2/ HTTP/1.1\r\nHost: a\r\n\tb\r\n\r\n", .foldedField),
        ("GET /v2/ HTTP/1.1\r\nHost : a\r\n\r\n", .badFieldLine),
        ("GET /v2/ HTTP/1.1\r\nHost\t: a\r\n\r\n", .badFieldLine),
        ("GET /v2/ HTTP/1.1\r\nHost a\r\n\r\n", .badFieldLine),
        ("GET /v2/ HTTP/1.1\r\n: a\r\n\r\n", .badFieldLine),
        ("GET /v2/ HTTP/1.1\r\nHo(st: a\r\n\r\n", .badFieldLine),
        ("GET /v2/ HTTP/1.1\r\nHöst: a\r\n\r\n", .badFieldLine),
        ("GET /v2/ HTTP/1.1\r\nHost: a\r\nX: \u{1}\r\n\r\n", .controlInField),
        ("GET /v2/ HTTP/1.1\r\nHost: a\r\nX: 123456789\u{7f}\r\n\r\n", .controlInField),
        ("GET /v2/ HTTP/1.1\r\nHost: a\r\nX: abcdefgh\0\r\n\r\n", .controlInField),
    ])
    func malformedLinesAreRefused(text: String, error: RequestError) {
        #expect(outcome(text) == .refused(error))
    }

    @Test func tabsAndBytesAboveASCIIAreValues() throws {
        let head = try #require(try parsedHead(request(fields: "X: a\tb é 12345678\t\r\n")))
        #expect(head.headers[first: "x"] == "a\tb é 12345678")
    }

    @Test(arguments: [
        ("", true), ("Connection: close\r\n", false), ("Connection: Close, TE\r\n", false),
        ("Connection: keep-alive\r\nConnection: close\r\n", false),
        ("Connection: closed\r\n", true),
    ])
    func connectionIsKeptUnlessClosed(fields: String, expected: Bool) throws {
        #expect(try parsedHead(request(fields: fields))?.keepAlive == expected)
    }

    @Test func olderClientsKeepOnlyOnRequest() throws {
        let kept = request(fields: "Connection: Keep-Alive\r\n", version: "HTTP/1.0")
        #expect(try parsedHead(kept)?.keepAlive == true)
        #expect(try parsedHead(request(version: "HTTP/1.0"))?.keepAlive == false)
        // RFC 9110 §10.1.1: an expectation of HTTP/1.0 is ignored.
        let expects = request(fields: "Expect: 100-continue\r\n", version: "HTTP/1.0")
        #expect(try parsedHead(expects)?.expectsContinue == false)
    }

    @Test(arguments: ["100-continue, x", "x", "", "100"])
    func otherExpectationsAreRefused(value: String) {
        #expect(outcome(request(fields: "Expect: \(value)\r\n")) == .refused(.unknownExpectation))
    }

    @Test func methodsOfTheTokenGrammarPass() throws {
        let head = try parsedHead("M-SEARCH /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(head?.method == .other("M-SEARCH"))
        #expect(try parsedHead("get /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")?.method == .other("get"))
        for method in [Method.get, .head, .post, .put, .patch, .delete, .options] {
            let text = "\(method) /v2/ HTTP/1.1\r\nHost: a\r\n\r\n"
            #expect(try parsedHead(text)?.method == method)
        }
    }
}
