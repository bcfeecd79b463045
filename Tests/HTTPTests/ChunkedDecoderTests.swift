import Testing

@testable import HTTP

/// HTTP-1, HTTP-2: the chunked coding, strictly.
struct ChunkedDecoderTests {
    private enum Result: Equatable {
        case body([UInt8], left: Int)
        case incomplete([UInt8])
        case refused(RequestError)
    }

    /// Feeds in pieces of at most `piece` bytes.
    private func decode(_ bytes: [UInt8], piece: Int) -> Result {
        var decoder = ChunkedDecoder()
        var body: [UInt8] = []
        var start = 0
        do {
            while start < bytes.count, !decoder.isFinished {
                let fed = Array(bytes[start..<(start + min(bytes.count - start, piece))])
                let step = try fed.withUnsafeBytes { try decoder.decode($0) }
                body += fed[step.body]
                start += step.consumed
            }
        } catch {
            return (error as? RequestError).map { .refused($0) } ?? .incomplete(body)
        }
        guard decoder.isFinished else { return .incomplete(body) }
        #expect(decoder.bodyBytes == Int64(body.count))
        return .body(body, left: bytes.count - start)
    }

    private func decode(_ text: String) -> Result {
        let bytes = Array(text.utf8)
        let result = decode(bytes, piece: .max)
        for piece in [1, 2, 3, 7] { #expect(decode(bytes, piece: piece) == result) }
        return result
    }

    @Test(arguments: [
        ("0\r\n\r\n", ""), ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("A\r\n0123456789\r\n1\r\nx\r\n000\r\n\r\n", "0123456789x"),
        ("5;a=b\r\nhello\r\n0;x=\"\t y\"\r\n\r\n", "hello"),
        ("1\r\na\r\n0\r\nX-Trailer: b\r\nY:\r\n\r\n", "a"),
        ("0000000000000001\r\na\r\n0\r\n\r\n", "a"), ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
    ])
    func chunksMakeABody(text: String, body: String) {
        #expect(decode(text) == .body(Array(body.utf8), left: 0))
        #expect(decode(text + "GET /") == .body(Array(body.utf8), left: 5))
    }

    @Test(arguments: [
        "\r\n", "+1\r\na\r\n", "-1\r\n", "0x1\r\na\r\n", " 1\r\na\r\n", "1 \r\na\r\n", "1\na\r\n",
        "1\r\na\n0\r\n\r\n", "1\r\nab\r\n", "g\r\n", ";\r\n", "1;a\nb\r\n", "1;\u{1}\r\n",
        "1\r\r\n",
        "00000000000000001\r\na\r\n", "ffffffffffffffff\r\n", "8000000000000000\r\n",
        "0\r\n\n", "0\r\nX: y\n\r\n", "0\r\n X: y\r\n\r\n", "0\r\nX y\r\n\r\n", "0\r\n: y\r\n\r\n",
        "0\r\nX: \u{1}\r\n\r\n", "0\r\nX: a\rb\r\n\r\n", "0\r\n\rx",
    ])
    func malformedFramingIsRefused(text: String) {
        // CVE-2025-22871, CVE-2025-55315, CVE-2023-38697.
        guard case .refused = decode(text) else {
            Issue.record("taken: \(text.debugDescription)")
            return
        }
    }

    @Test func sumOfSizesIsChecked() {
        var decoder = ChunkedDecoder()
        let first = Array("1\r\na\r\n7fffffffffffffff\r\n".utf8)
        #expect(throws: RequestError.badChunk) {
            var start = 0
            while start < first.count {
                start += try first[start...].withUnsafeBytes { try decoder.decode($0) }.consumed
            }
        }
    }

    @Test func extensionsAreBounded() {
        let long = { (count: Int) in "1;" + String(repeating: "x", count: count) + "\r\na\r\n" }
        #expect(decode(long(63) + "0\r\n\r\n") == .body([0x61], left: 0))
        #expect(decode(long(64)) == .refused(.chunkExtensionTooLong))
        // 16 × 64 bytes are the kibibyte of one body.
        let many = { (count: Int) in String(repeating: long(63), count: count) + "0\r\n\r\n" }
        #expect(decode(many(16)) == .body([UInt8](repeating: 0x61, count: 16), left: 0))
        #expect(decode(many(17)) == .refused(.chunkExtensionTooLong))
    }

    @Test func trailersAreBounded() {
        let trailer = { (count: Int) in
            "0\r\nX: " + String(repeating: "y", count: count) + "\r\n\r\n"
        }
        #expect(decode(trailer(8192 - 7)) == .body([], left: 0))
        #expect(decode(trailer(8192)) == .refused(.trailersTooLarge))
        let many = "0\r\n" + String(repeating: "a:b\r\n", count: 10_000)
        #expect(decode(many) == .refused(.trailersTooLarge))
    }

    @Test func bodyThatStopsIsNotFinished() {
        let text = "5\r\nhello\r\n0\r\nA: b\r\n\r\n"
        for count in 0..<text.utf8.count {
            guard case .incomplete = decode(Array(text.utf8.prefix(count)), piece: 4) else {
                Issue.record("finished after \(count)")
                return
            }
        }
    }
}
