/// Reads request heads out of the bytes of one connection, strictly (HTTP-1 to HTTP-5, RES-1).
///
/// The caller passes everything it holds that is not consumed yet, from the first byte of the
/// request, each time more has come. The parser remembers how far it has searched, so a client that
/// sends byte by byte costs no more than one that sends at once, and both get the same answer at
/// the same byte.
package struct RequestParser: Sendable {
    package let limits: ParserLimits
    private var progress = Progress()

    /// How far the head at the start of the buffer is known.
    private struct Progress {
        /// Up to where line feeds have been looked for.
        var searched = 0
        /// Where the request line begins: after at most one empty line (RFC 9112 §2.2).
        var start = 0
        /// Where the current line begins.
        var line = 0
        /// Where the field lines begin, once the request line is complete.
        var fields = 0
        /// Complete lines so far, the request line included.
        var lines = 0
        /// The request line, read as soon as it is complete: what is no HTTP is answered at once.
        var requestLine: RequestLine?
    }

    package init(limits: ParserLimits = ParserLimits()) {
        self.limits = limits
    }

    /// Parses the head at the start of `bytes`.
    ///
    /// - Returns: the head and its length, after which the body or the next request begins; `nil`
    ///   if more bytes are needed, which can only be while there are fewer than
    ///   `limits.headBytesMax`.
    package mutating func parse(
        _ bytes: UnsafeRawBufferPointer
    ) throws(RequestError) -> (head: RequestHead, consumed: Int)? {
        let span = Span<UInt8>(_unsafeElements: bytes.bindMemory(to: UInt8.self))
        guard let end = try findEnd(span), let line = progress.requestLine else { return nil }
        let start = progress.start
        progress = Progress()
        return (try Self.head(span.extracting(start..<end), line, limits: limits), end)
    }

    /// The length of the head if it is complete.
    private mutating func findEnd(_ bytes: Span<UInt8>) throws(RequestError) -> Int? {
        guard try begin(bytes) else { return nil }
        while true {
            let feed = Bytes.index(
                of: UInt8(ascii: "\n"), in: bytes, from: progress.searched, to: bytes.count)
            // Limits before content, so that the answer does not depend on how the bytes were cut.
            try checkLimits(upTo: min(feed + 1, bytes.count))
            guard feed < bytes.count else {
                progress.searched = bytes.count
                return nil
            }
            guard feed > progress.line, bytes[feed - 1] == UInt8(ascii: "\r") else {
                throw .bareLineFeed
            }
            if feed - 1 == progress.line { return feed + 1 }
            progress.lines += 1
            if progress.lines == 1 {
                progress.fields = feed + 1
                progress.requestLine = try RequestLine(
                    bytes.extracting(progress.start..<(feed + 1)))
            }
            guard progress.lines - 1 <= limits.fieldsMax else { throw .tooManyFields }
            progress.line = feed + 1
            progress.searched = feed + 1
        }
    }

    /// Looks at the first byte, which already tells a request from what is none; `false` without
    /// one.
    private mutating func begin(_ bytes: Span<UInt8>) throws(RequestError) -> Bool {
        guard progress.searched == 0 else { return true }
        guard bytes.count > 0 else { return false }
        if bytes[0] == UInt8(ascii: "\r") {
            guard bytes.count > 1 else { return false }
            guard bytes[1] == UInt8(ascii: "\n") else { throw .badRequestLine }
            guard bytes.count > 2 else { return false }
            progress.start = 2
        }
        if bytes[0] == 0x16 { throw .tlsHello }
        guard Bytes.isToken(bytes[progress.start]) else { throw .badRequestLine }
        progress.line = progress.start
        progress.searched = progress.start
        return true
    }

    private func checkLimits(upTo end: Int) throws(RequestError) {
        if progress.lines == 0 {
            guard end - progress.start <= limits.requestLineBytesMax else {
                throw .requestLineTooLong
            }
        } else {
            guard end - progress.fields <= limits.headerBytesMax else { throw .headersTooLarge }
        }
    }

    /// Reads a complete head, whose lines all end in CRLF and whose last line is empty.
    private static func head(
        _ bytes: Span<UInt8>, _ line: RequestLine, limits: ParserLimits
    ) throws(RequestError) -> RequestHead {
        let target = try TargetReader.read(
            bytes, from: line.targetStart, to: line.targetEnd, method: line.method, limits: limits)
        var fields = FieldReader()
        try fields.read(bytes, from: line.end)
        try fields.check(bytes, version: line.version, target: target)
        return RequestHead(
            method: line.method,
            target: target.value,
            version: line.version,
            headers: HeaderFields(
                storage: bytes.withUnsafeBufferPointer { Array($0) }, entries: fields.entries),
            host: fields.hostText(bytes, target: target),
            contentLength: fields.contentLength,
            isChunked: fields.isChunked,
            keepAlive: fields.keepAlive(line.version),
            expectsContinue: fields.expectsContinue && line.version == .http11)
    }
}
