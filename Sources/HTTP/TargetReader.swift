/// Reads a request target (RFC 9112 §3.2): `/path?query`, `http://host/path?query` or `*`.
///
/// The path is decoded exactly once and refused where two readers could see two paths (HTTP-5).
struct TargetReader {
    let value: RequestTarget
    /// Where the authority of an absolute target lies, which must equal the Host (HTTP-4).
    let authority: Range<Int>?

    static func read(
        _ bytes: Span<UInt8>, from start: Int, to end: Int, method: Method, limits: ParserLimits
    ) throws(RequestError) -> TargetReader {
        if bytes[start] == UInt8(ascii: "/") {
            let value = try originForm(bytes, from: start, to: end, limits: limits)
            return TargetReader(value: value, authority: nil)
        }
        if end - start == 1, bytes[start] == UInt8(ascii: "*") {
            guard method == .options else { throw .badTarget }
            return TargetReader(value: RequestTarget(path: "*"), authority: nil)
        }
        return try absoluteForm(bytes, from: start, to: end, limits: limits)
    }

    private static func absoluteForm(
        _ bytes: Span<UInt8>, from start: Int, to end: Int, limits: ParserLimits
    ) throws(RequestError) -> TargetReader {
        let authorityStart: Int
        if end - start > 7, Text.matches("http://", bytes, from: start, to: start + 7) {
            authorityStart = start + 7
        } else if end - start > 8, Text.matches("https://", bytes, from: start, to: start + 8) {
            authorityStart = start + 8
        } else {
            throw .badTarget
        }
        var authorityEnd = authorityStart
        while authorityEnd < end, bytes[authorityEnd] != UInt8(ascii: "/"),
            bytes[authorityEnd] != UInt8(ascii: "?")
        {
            authorityEnd += 1
        }
        guard HostText.isValid(bytes, from: authorityStart, to: authorityEnd) else {
            throw .badTarget
        }
        let authority = authorityStart..<authorityEnd
        guard authorityEnd < end, bytes[authorityEnd] == UInt8(ascii: "/") else {
            let (query, raw) = try query(bytes, from: authorityEnd, to: end, limits: limits)
            let value = RequestTarget(path: "/", query: query, rawQuery: raw)
            return TargetReader(value: value, authority: authority)
        }
        let value = try originForm(bytes, from: authorityEnd, to: end, limits: limits)
        return TargetReader(value: value, authority: authority)
    }

    private static func originForm(
        _ bytes: Span<UInt8>, from start: Int, to end: Int, limits: ParserLimits
    ) throws(RequestError) -> RequestTarget {
        let pathEnd = Bytes.index(of: UInt8(ascii: "?"), in: bytes, from: start, to: end)
        let escape = Bytes.index(of: UInt8(ascii: "%"), in: bytes, from: start, to: pathEnd)
        let path: String
        if escape == pathEnd {
            guard isPath(bytes, from: start, to: pathEnd) else { throw .badTarget }
            path = Text.string(bytes, from: start, to: pathEnd)
        } else {
            path = try decodedPath(bytes, from: start, to: pathEnd)
        }
        let (query, raw) = try query(bytes, from: pathEnd, to: end, limits: limits)
        return RequestTarget(path: path, query: query, rawQuery: raw)
    }

    private static func decodedPath(
        _ bytes: Span<UInt8>, from start: Int, to end: Int
    ) throws(RequestError) -> String {
        guard
            let decoded = PercentEncoding.decode(
                bytes, from: start, to: end,
                escaped: {
                    // A slash or backslash that was hidden, or anything that is not visible ASCII.
                    $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "\\") && $0 > 0x20 && $0 < 0x7f
                })
        else { throw .badTarget }
        guard isPath(decoded.span, from: 0, to: decoded.count) else { throw .badTarget }
        return String(decoding: decoded, as: UTF8.self)
    }

    /// Visible ASCII without backslash and `#`, no empty segment but the last, none that is `.` or
    /// `..`.
    private static func isPath(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Bool {
        var segment = start + 1
        var index = start + 1
        while index <= end {
            if index == end || bytes[index] == UInt8(ascii: "/") {
                let count = index - segment
                if count == 0, index < end { return false }
                if count == 1, bytes[segment] == UInt8(ascii: ".") { return false }
                if count == 2, bytes[segment] == UInt8(ascii: "."),
                    bytes[segment + 1] == UInt8(ascii: ".")
                {
                    return false
                }
                segment = index + 1
            } else {
                let byte = bytes[index]
                guard byte > 0x20, byte < 0x7f, byte != UInt8(ascii: "\\"),
                    byte != UInt8(ascii: "#")
                else { return false }
            }
            index += 1
        }
        return true
    }

    private static func query(
        _ bytes: Span<UInt8>, from start: Int, to end: Int, limits: ParserLimits
    ) throws(RequestError) -> (query: [QueryParameter], raw: String?) {
        // `start` is at the question mark, if there is one.
        guard start < end else { return ([], nil) }
        var parameters: [QueryParameter] = []
        var partStart = start + 1
        while partStart <= end {
            let partEnd = Bytes.index(of: UInt8(ascii: "&"), in: bytes, from: partStart, to: end)
            if partEnd > partStart {
                guard parameters.count < limits.queryParametersMax else { throw .tooManyParameters }
                parameters.append(try parameter(bytes, from: partStart, to: partEnd))
            }
            partStart = partEnd + 1
        }
        return (parameters, Text.string(bytes, from: start + 1, to: end))
    }

    private static func parameter(
        _ bytes: Span<UInt8>, from start: Int, to end: Int
    ) throws(RequestError) -> QueryParameter {
        let equals = Bytes.index(of: UInt8(ascii: "="), in: bytes, from: start, to: end)
        let name = try queryText(bytes, from: start, to: equals)
        let value = try queryText(bytes, from: min(equals + 1, end), to: end)
        return QueryParameter(name: name, value: value)
    }

    /// Decodes escapes; a `+` stays a plus.
    ///
    /// No parameter of the API can hold a space, but media types hold pluses, and not every client
    /// escapes them.
    private static func queryText(
        _ bytes: Span<UInt8>, from start: Int, to end: Int
    ) throws(RequestError) -> String {
        for index in start..<end {
            let byte = bytes[index]
            guard byte > 0x20, byte < 0x7f, byte != UInt8(ascii: "#") else { throw .badQuery }
        }
        guard Bytes.index(of: UInt8(ascii: "%"), in: bytes, from: start, to: end) < end else {
            return Text.string(bytes, from: start, to: end)
        }
        guard
            let decoded = PercentEncoding.decode(
                bytes, from: start, to: end,
                escaped: {
                    $0 >= 0x20 && $0 != 0x7f
                }), let text = String(validating: decoded, as: UTF8.self)
        else { throw .badQuery }
        return text
    }
}
