import Testing

@testable import HTTP

/// HTTP-1, HTTP-4: where a message ends and whom it is for.
struct RequestFramingTests {
    private func outcome(_ fields: String, version: String = "HTTP/1.1") -> Outcome {
        let bytes = Array(request(fields: fields, version: version).utf8)
        let outcome = Outcome.atOnce(bytes)
        #expect(Outcome.byteByByte(bytes) == outcome)
        return outcome
    }

    @Test(arguments: [
        "", "+5", "-5", "5 5", "5,5", "5, 5", "0x5", "5a", "５", "9223372036854775808",
        "99999999999999999999999", "5;", "five",
    ])
    func lengthThatIsNoNumberIsRefused(value: String) {
        #expect(outcome("Content-Length: \(value)\r\n") == .refused(.badContentLength))
    }

    @Test(arguments: ["0", "5", "007", "9223372036854775807", "  5\t"])
    func lengthOfDigitsIsTaken(value: String) {
        #expect(outcome("Content-Length: \(value)\r\n").status == nil)
    }

    @Test(arguments: [
        "Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5\r\ncontent-length: 6\r\n",
    ])
    func repeatedLengthIsRefusedEvenIfEqual(fields: String) {
        #expect(outcome(fields) == .refused(.badContentLength))
    }

    @Test func lengthWithChunksIsRefused() {
        let fields = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"
        #expect(outcome(fields) == .refused(.ambiguousLength))
    }

    @Test(
        arguments: [
            ("chunked", nil), ("Chunked", nil), ("\tchunked ", nil),
            ("", 400), ("xchunked", 400), ("chunkedx", 400), ("chunked, chunked", 400),
            ("chunked, gzip", 400), ("chunked,", 400), (",chunked", 400), ("chunked;q=1", 400),
            ("chunked gzip", 400), ("\"chunked\"", 400), ("chu nked", 400), ("gzip, xchunked", 400),
            ("gzip", 501), ("gzip, chunked", 501), ("identity", 501), ("deflate", 501),
        ] as [(String, Int?)])
    func onlyChunkedIsUnderstood(value: String, status: Int?) {
        #expect(outcome("Transfer-Encoding: \(value)\r\n").status == status)
    }

    @Test func repeatedCodingAndCodingOfOldClientsAreRefused() {
        let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"
        #expect(outcome(twice) == .refused(.badTransferEncoding))
        let old = outcome("Transfer-Encoding: chunked\r\n", version: "HTTP/1.0")
        #expect(old == .refused(.badTransferEncoding))
    }

    @Test(arguments: [
        "localhost", "LOCALHOST:5000", "127.0.0.1:5000", "[::1]:5000", "[2001:db8::1]", "my_cache",
        "a.b.c", "a:0", "a:65535", "a:", String(repeating: "a", count: 253),
    ])
    func oneValidHostIsTaken(host: String) throws {
        if host == "a:" {
            #expect(Outcome.atOnce(Array("GET / HTTP/1.1\r\nHost: a:\r\n\r\n".utf8)).status == 400)
            return
        }
        let head = try parsedHead("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        #expect(head?.host == host)
    }

    @Test(arguments: [
        "", "a b", "a/b", "user@a", "a:b", "a:65536", "a:000001", "a:1:2", "[::1", "::1", "[]",
        "[::g]",
        "a,b", "a\\b", "a%41", "é", "[::1]x", String(repeating: "a", count: 300),
    ])
    func otherHostsAreRefused(host: String) {
        let text = "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n"
        #expect(Outcome.atOnce(Array(text.utf8)) == .refused(.badHost))
    }

    @Test func hostMustBeThereOnce() throws {
        #expect(Outcome.atOnce(Array("GET / HTTP/1.1\r\n\r\n".utf8)) == .refused(.badHost))
        #expect(outcome("Host: localhost\r\n") == .refused(.badHost))
        #expect(try parsedHead("GET / HTTP/1.0\r\n\r\n")?.host == "")
    }

    @Test(
        arguments: [
            ("http://localhost/v2/", nil), ("HTTP://LOCALHOST/v2/?n=1", nil),
            ("http://localhost", nil),
            ("https://localhost/v2/", nil), ("http://localhost?n=1", nil),
            ("http://other/v2/", 400), ("http://localhost:80/v2/", 400), ("http:///v2/", 400),
            ("http://u:p@localhost/v2/", 400), ("ftp://localhost/v2/", 400),
            ("localhost:5000", 400),
            ("*", 400), ("http:/v2/", 400), ("v2/", 400), ("http://localhost//v2/", 400),
        ] as [(String, Int?)])
    func absoluteTargetMustNameTheHost(target: String, status: Int?) {
        // HTTP-4; CVE-2016-4553, CVE-2026-34475.
        let outcome = Outcome.atOnce(Array(request(target).utf8))
        #expect(outcome.status == status, "\(outcome)")
    }

    @Test func hostNameIsWithoutPortAndCase() {
        let names = ["A.b:5000", "[::1]:80", "[::1]", "x"].map {
            RequestHead(method: .get, target: RequestTarget(path: "/"), host: $0).hostName
        }
        #expect(names == ["a.b", "[::1]", "[::1]", "x"])
    }
}
