/// Reads the field lines of a head and what they say about framing (HTTP-1, HTTP-3, HTTP-4).
///
/// Names and values stay where they are: an entry is offsets. The five fields that decide where a
/// message ends and whom it is for are understood on the way.
struct FieldReader {
    private(set) var entries: [HeaderFields.Entry] = []
    private(set) var contentLength: Int64?
    private(set) var expectsContinue = false

    private var host: Range<Int>?
    private var hosts = 0
    private var lengths = 0
    private var transferEncoding: Range<Int>?
    private var transferEncodings = 0
    private var hasUnknownExpectation = false
    private var saysClose = false
    private var saysKeepAlive = false

    var isChunked: Bool { transferEncodings > 0 }

    /// Reads lines from `start` up to the empty line.
    mutating func read(_ bytes: Span<UInt8>, from start: Int) throws(RequestError) {
        entries.reserveCapacity(16)
        var line = start
        while line < bytes.count, bytes[line] != UInt8(ascii: "\r") {
            line = try readLine(bytes, from: line)
        }
        // Every line was seen to end in CRLF, so this is the empty one unless a bare CR came first.
        guard line + 2 == bytes.count else { throw .controlInField }
    }

    private mutating func readLine(
        _ bytes: Span<UInt8>, from start: Int
    ) throws(RequestError) -> Int {
        if Bytes.isBlank(bytes[start]) { throw .foldedField }
        var nameEnd = start
        while Bytes.isToken(bytes[nameEnd]) { nameEnd += 1 }
        guard nameEnd > start, bytes[nameEnd] == UInt8(ascii: ":") else { throw .badFieldLine }
        let end = Bytes.index(of: UInt8(ascii: "\r"), in: bytes, from: nameEnd, to: bytes.count)
        guard end + 1 < bytes.count, bytes[end + 1] == UInt8(ascii: "\n") else {
            throw .controlInField
        }
        let value = Text.trimmed(bytes, from: nameEnd + 1, to: end)
        guard !Bytes.hasControl(bytes, from: value.lowerBound, to: value.upperBound) else {
            throw .controlInField
        }
        entries.append(
            HeaderFields.Entry(
                nameStart: Int32(truncatingIfNeeded: start),
                nameCount: Int32(truncatingIfNeeded: nameEnd - start),
                valueStart: Int32(truncatingIfNeeded: value.lowerBound),
                valueCount: Int32(truncatingIfNeeded: value.count)))
        try interpret(bytes, name: start..<nameEnd, value: value)
        return end + 2
    }

    private mutating func interpret(
        _ bytes: Span<UInt8>, name: Range<Int>, value: Range<Int>
    ) throws(RequestError) {
        func isNamed(_ text: StaticString) -> Bool {
            Text.matches(text, bytes, from: name.lowerBound, to: name.upperBound)
        }
        switch name.count {
        case 4 where isNamed("host"):
            host = value
            hosts += 1
        case 6 where isNamed("expect"):
            noteExpectation(bytes, value)
        case 10 where isNamed("connection"):
            noteConnection(bytes, value)
        case 14 where isNamed("content-length"):
            lengths += 1
            contentLength = Self.decimal(bytes, value)
            guard contentLength != nil else { throw .badContentLength }
        case 17 where isNamed("transfer-encoding"):
            transferEncoding = value
            transferEncodings += 1
        default:
            break
        }
    }

    private mutating func noteExpectation(_ bytes: Span<UInt8>, _ value: Range<Int>) {
        if Text.matches("100-continue", bytes, from: value.lowerBound, to: value.upperBound) {
            expectsContinue = true
        } else {
            hasUnknownExpectation = true
        }
    }

    private mutating func noteConnection(_ bytes: Span<UInt8>, _ value: Range<Int>) {
        var close = false
        var keepAlive = false
        Text.forEachElement(bytes, from: value.lowerBound, to: value.upperBound) { element in
            let (start, end) = (element.lowerBound, element.upperBound)
            close = close || Text.matches("close", bytes, from: start, to: end)
            keepAlive = keepAlive || Text.matches("keep-alive", bytes, from: start, to: end)
        }
        saysClose = saysClose || close
        saysKeepAlive = saysKeepAlive || keepAlive
    }

    /// `1*DIGIT` that fits; a list, a sign or a blank does not (RFC 9112 §6.3).
    private static func decimal(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int64? {
        guard !range.isEmpty else { return nil }
        var value: Int64 = 0
        for index in range {
            guard Bytes.isDigit(bytes[index]) else { return nil }
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = scaled.addingReportingOverflow(
                Int64(bytes[index] - UInt8(ascii: "0")))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }
}

// MARK: - What the fields say together

extension FieldReader {
    /// Refuses every head whose end, body or addressee two readers could see differently.
    func check(
        _ bytes: Span<UInt8>, version: HTTPVersion, target: TargetReader
    ) throws(RequestError) {
        try checkHost(bytes, version: version, target: target)
        guard lengths <= 1 else { throw .badContentLength }
        if let transferEncoding {
            guard lengths == 0 else { throw .ambiguousLength }
            guard version == .http11, transferEncodings == 1 else { throw .badTransferEncoding }
            try checkTransferEncoding(bytes, transferEncoding)
        }
        if hasUnknownExpectation { throw .unknownExpectation }
    }

    private func checkHost(
        _ bytes: Span<UInt8>, version: HTTPVersion, target: TargetReader
    ) throws(RequestError) {
        guard let host, hosts == 1 else {
            guard hosts == 0, version == .http10 else { throw .badHost }
            return
        }
        guard HostText.isValid(bytes, from: host.lowerBound, to: host.upperBound) else {
            throw .badHost
        }
        if let authority = target.authority, !Text.equalIgnoringCase(bytes, authority, host) {
            throw .hostMismatch
        }
    }

    /// Refuses every coding but `chunked`.
    ///
    /// Another well-formed coding is unknown (501), but whatever looks like an attempt to smuggle
    /// `chunked` past one reader is malformed (400).
    private func checkTransferEncoding(
        _ bytes: Span<UInt8>, _ value: Range<Int>
    ) throws(RequestError) {
        if Text.matches("chunked", bytes, from: value.lowerBound, to: value.upperBound) { return }
        var isList = true
        var chunked = 0
        var lastIsChunked = false
        Text.forEachElement(bytes, from: value.lowerBound, to: value.upperBound) { element in
            let coding = Text.string(bytes, from: element.lowerBound, to: element.upperBound)
            isList = isList && Bytes.isToken(coding)
            lastIsChunked = Bytes.equalIgnoringCase(coding, "chunked")
            if lastIsChunked || Self.mentionsChunked(coding) { chunked += 1 }
        }
        guard isList, chunked == (lastIsChunked ? 1 : 0) else { throw .badTransferEncoding }
        throw .unknownTransferEncoding
    }

    private static func mentionsChunked(_ text: String) -> Bool {
        let bytes = text.utf8.map(Bytes.lowered)
        let word = Array("chunked".utf8)
        guard bytes.count >= word.count else { return false }
        return (0...(bytes.count - word.count)).contains { bytes[$0...].starts(with: word) }
    }

    /// The Host, or the authority of an absolute target where HTTP/1.0 has none.
    func hostText(_ bytes: Span<UInt8>, target: TargetReader) -> String {
        guard let range = host ?? target.authority else { return "" }
        return Text.string(bytes, from: range.lowerBound, to: range.upperBound)
    }

    /// RFC 9112 §9.3.
    func keepAlive(_ version: HTTPVersion) -> Bool {
        switch version {
        case .http11: !saysClose
        case .http10: saysKeepAlive && !saysClose
        }
    }
}
