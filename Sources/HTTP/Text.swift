/// Turning bytes of a message into strings, and comparing them without doing so.
enum Text {
    /// The bytes as text; what is no UTF-8 becomes U+FFFD.
    static func string(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> String {
        bytes.extracting(start..<end).withUnsafeBufferPointer {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// Whether the bytes are a given lower-case text in any case.
    static func matches(
        _ lowered: StaticString, _ bytes: Span<UInt8>, from start: Int, to end: Int
    ) -> Bool {
        guard end - start == lowered.utf8CodeUnitCount else { return false }
        for offset in 0..<lowered.utf8CodeUnitCount
        where Bytes.lowered(bytes[start + offset]) != lowered.utf8Start[offset] {
            return false
        }
        return true
    }

    /// Whether two runs of the same bytes are equal in any case.
    static func equalIgnoringCase(
        _ bytes: Span<UInt8>, _ left: Range<Int>, _ right: Range<Int>
    ) -> Bool {
        guard left.count == right.count else { return false }
        for offset in 0..<left.count
        where Bytes.lowered(bytes[left.lowerBound + offset])
            != Bytes.lowered(bytes[right.lowerBound + offset])
        {
            return false
        }
        return true
    }

    /// Calls `body` with the range of each element of a comma-separated list, blanks trimmed; empty
    /// elements included, since a strict caller wants to see them (RFC 9110 §5.6.1).
    static func forEachElement(
        _ bytes: Span<UInt8>, from start: Int, to end: Int, _ body: (Range<Int>) -> Void
    ) {
        var elementStart = start
        while true {
            let comma = Bytes.index(of: UInt8(ascii: ","), in: bytes, from: elementStart, to: end)
            body(trimmed(bytes, from: elementStart, to: comma))
            guard comma < end else { return }
            elementStart = comma + 1
        }
    }

    /// The range without blanks at its ends.
    static func trimmed(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Range<Int> {
        var start = start
        var end = end
        while start < end, Bytes.isBlank(bytes[start]) { start += 1 }
        while end > start, Bytes.isBlank(bytes[end - 1]) { end -= 1 }
        return start..<end
    }
}
