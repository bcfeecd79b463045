/// The first line of a request: `METHOD SP target SP HTTP/1.x CRLF`, single spaces (RFC 9112 §3).
struct RequestLine: Sendable {
    let method: Method
    let targetStart: Int
    let targetEnd: Int
    let version: HTTPVersion
    /// Where the field lines begin.
    let end: Int

    /// The first line of the HTTP/2 connection preface (RFC 9113 §3.4).
    private static let preface: StaticString = "PRI * HTTP/2.0\r\n"
    /// The length of `HTTP/1.1`.
    private static let versionCount = 8

    /// Reads a complete line, its CRLF included.
    init(_ bytes: Span<UInt8>) throws(RequestError) {
        let end = Bytes.index(of: UInt8(ascii: "\r"), in: bytes, from: 0, to: bytes.count)
        guard end + 2 == bytes.count, bytes[end + 1] == UInt8(ascii: "\n") else {
            throw .badRequestLine
        }
        if Self.has(Self.preface, bytes, at: 0) { throw .http2Preface }

        var methodEnd = 0
        while Bytes.isToken(bytes[methodEnd]) { methodEnd += 1 }
        guard methodEnd > 0, bytes[methodEnd] == UInt8(ascii: " ") else { throw .badRequestLine }
        let targetEnd = Bytes.index(of: UInt8(ascii: " "), in: bytes, from: methodEnd + 1, to: end)
        guard targetEnd > methodEnd + 1, end - targetEnd - 1 == Self.versionCount else {
            throw .badRequestLine
        }
        self.version = try Self.version(bytes, at: targetEnd + 1)
        self.method = Self.method(bytes, end: methodEnd)
        self.targetStart = methodEnd + 1
        self.targetEnd = targetEnd
        self.end = end + 2
    }

    private static func method(_ bytes: Span<UInt8>, end: Int) -> Method {
        if end == 3, has("GET", bytes, at: 0) { return .get }
        if end == 4, has("HEAD", bytes, at: 0) { return .head }
        return Method(Text.string(bytes, from: 0, to: end))
    }

    private static func version(
        _ bytes: Span<UInt8>, at start: Int
    ) throws(RequestError) -> HTTPVersion {
        guard has("HTTP/", bytes, at: start), Bytes.isDigit(bytes[start + 5]),
            bytes[start + 6] == UInt8(ascii: "."), Bytes.isDigit(bytes[start + 7])
        else { throw .badRequestLine }
        guard bytes[start + 5] == UInt8(ascii: "1") else { throw .badVersion }
        switch bytes[start + 7] {
        case UInt8(ascii: "1"): return .http11
        case UInt8(ascii: "0"): return .http10
        default: throw .badVersion
        }
    }

    private static func has(_ text: StaticString, _ bytes: Span<UInt8>, at start: Int) -> Bool {
        guard bytes.count - start >= text.utf8CodeUnitCount else { return false }
        for offset in 0..<text.utf8CodeUnitCount
        where bytes[start + offset] != text.utf8Start[offset] {
            return false
        }
        return true
    }
}
