/// Status and the fields Cistern reads of one response.
package struct UpstreamHead {
    package var status = 0
    /// Values in order, by lower-case name; only names in `UpstreamHeadReader.known`.
    package var fields: [String: [String]] = [:]
    /// Checked when the head is complete: nil if absent or if a transfer coding overrides it.
    package var contentLength: Int64?

    /// The first value of a field, by its lower-case name.
    package subscript(name: String) -> String? { fields[name]?.first }

    var isRedirect: Bool { [301, 302, 303, 307, 308].contains(status) }
}

/// Builds a `UpstreamHead` line by line and enforces the limits on it (RES-4).
///
/// libcurl hands over each header line once, of every response on the connection: interim ones
/// come first and are forgotten; lines after the final head are trailers and are dropped.
package struct UpstreamHeadReader {
    private static let known: Set<String> = [
        "cache-status", "content-encoding", "content-length", "content-range", "content-type",
        "docker-content-digest", "etag", "link", "location", "oci-filters-applied",
        "oci-subject",
        "ratelimit-limit", "ratelimit-remaining", "retry-after", "transfer-encoding",
        "www-authenticate",
    ]

    private let limits: UpstreamSettings.Limits
    private var bytes = 0
    private var fieldCount = 0
    private var interimCount = 0
    package private(set) var head = UpstreamHead()
    private(set) var isComplete = false

    package init(limits: UpstreamSettings.Limits) {
        self.limits = limits
    }

    /// Whether the first line has come.
    var hasBegun: Bool { bytes > 0 }

    /// Takes one line with its line end; true when it completes the final head.
    package mutating func read(_ line: UnsafeRawBufferPointer) throws(UpstreamError) -> Bool {
        bytes += line.count
        guard bytes <= limits.headerBytesMax else { throw .badResponse("headers too large") }
        if isComplete { return false }
        let text = Self.trimmed(line[...])
        if text.isEmpty { return try blankLine() }
        if head.status == 0 {
            try statusLine(text)
        } else {
            try field(text, isFolded: line[0] == 0x20 || line[0] == 0x09)
        }
        return false
    }

    private mutating func blankLine() throws(UpstreamError) -> Bool {
        switch head.status {
        case 200...599:
            try check()
            isComplete = true
            return true
        case 100...199 where head.status != 101:
            interimCount += 1
            guard interimCount <= limits.interimResponsesMax else {
                throw .badResponse("too many interim responses")
            }
            head = UpstreamHead()
            fieldCount = 0
            return false
        default:
            throw .badResponse("status \(head.status)")
        }
    }

    /// `HTTP/1.1 200 reason`: the reason is for nobody (HTTP-8).
    private mutating func statusLine(_ line: Slice<UnsafeRawBufferPointer>) throws(UpstreamError) {
        let parts = line.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: true)
        guard parts.count >= 2, parts[0].starts(with: Array("HTTP/1.".utf8)), parts[1].count == 3,
            let status = Int(String(decoding: parts[1], as: UTF8.self)), status >= 100
        else { throw .badResponse("malformed status line") }
        head.status = status
    }

    private mutating func field(
        _ line: Slice<UnsafeRawBufferPointer>, isFolded: Bool
    ) throws(UpstreamError) {
        fieldCount += 1
        guard fieldCount <= limits.headerFieldsMax else { throw .badResponse("too many headers") }
        guard !isFolded else { throw .badResponse("folded header") }
        guard let colon = line.firstIndex(of: 0x3a) else { return }
        let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
        guard Self.known.contains(name) else { return }
        let value = Self.trimmed(line[line.index(after: colon)...])
        guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else {
            throw .badResponse("control character in \(name)")
        }
        head.fields[name, default: []].append(String(decoding: value, as: UTF8.self))
    }

    /// What makes the body's framing or coding something else than the hashed bytes (INT-3).
    private mutating func check() throws(UpstreamError) {
        let codings = Self.list(head.fields["transfer-encoding"])
        guard codings.isEmpty || codings == ["chunked"] else {
            throw .badResponse("transfer coding")
        }
        if codings.isEmpty, let lengths = head.fields["content-length"] {
            guard let length = Self.length(lengths) else { throw .badResponse("Content-Length") }
            head.contentLength = length
        }
        guard (200...299).contains(head.status) else { return }
        let encodings = Self.list(head.fields["content-encoding"])
        guard encodings.allSatisfy({ $0 == "identity" }) else {
            throw .badResponse("content encoding although identity was asked for")
        }
    }

    /// Digits only, and the same wherever it is repeated (RFC 9112 §6.3).
    private static func length(_ values: [String]) -> Int64? {
        guard let first = values.first, values.allSatisfy({ $0 == first }), !first.isEmpty,
            first.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int64(first)
    }

    private static func list(_ values: [String]?) -> [String] {
        (values ?? []).flatMap { $0.split(separator: ",") }
            .map { String($0.drop { $0 == " " || $0 == "\t" }) }
            .map { $0.split(separator: " ").joined(separator: " ").lowercased() }
            .filter { !$0.isEmpty }
    }

    private static func trimmed(
        _ bytes: Slice<UnsafeRawBufferPointer>
    ) -> Slice<UnsafeRawBufferPointer> {
        var result = bytes
        while let last = result.last, last == 0x0d || last == 0x0a || last == 0x20 || last == 0x09 {
            result.removeLast()
        }
        while let first = result.first, first == 0x20 || first == 0x09 { result.removeFirst() }
        return result
    }
}
