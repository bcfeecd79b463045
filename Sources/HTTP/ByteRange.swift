/// One member of a `Range: bytes=…` header, before the size is known (RFC 9110 §14.1.2).
package enum ByteRange: Hashable, Sendable {
    /// `first-`
    case from(Int64)
    /// `first-last`, both included; `last` may be below `first`, which no size satisfies.
    case bounded(Int64, Int64)
    /// `-count`: the last `count` bytes.
    case suffix(Int64)

    /// The most ranges of one header: what containers/image asks for at once (protocol.md §3.5).
    package static let rangesMax = 1024

    /// Parses a whole Range value; `nil` if it is to be ignored.
    ///
    /// That is one of another unit, a malformed one, or one of more than `rangesMax` ranges.
    /// Numbers beyond 64 bits count as the largest.
    package static func parse(_ header: String) -> [ByteRange]? {
        let parts = header.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, Bytes.equalIgnoringCase(Bytes.trimmed(parts[0]), "bytes") else {
            return nil
        }
        var ranges: [ByteRange] = []
        for element in parts[1].split(separator: ",", omittingEmptySubsequences: false) {
            let text = Bytes.trimmed(element)
            // RFC 9110 §5.6.1: empty elements of a list are skipped.
            if text.isEmpty { continue }
            guard ranges.count < rangesMax, let range = ByteRange(text) else { return nil }
            ranges.append(range)
        }
        return ranges.isEmpty ? nil : ranges
    }

    private init?(_ text: Substring) {
        guard let dash = text.utf8.firstIndex(of: UInt8(ascii: "-")) else { return nil }
        let first = text[..<dash]
        let last = text[text.utf8.index(after: dash)...]
        switch (first.isEmpty, last.isEmpty) {
        case (true, true):
            return nil
        case (true, false):
            guard let count = Self.number(last) else { return nil }
            self = .suffix(count)
        case (false, true):
            guard let start = Self.number(first) else { return nil }
            self = .from(start)
        case (false, false):
            guard let start = Self.number(first), let end = Self.number(last) else { return nil }
            self = .bounded(start, end)
        }
    }

    /// `1*DIGIT`, saturating: a number that is too large is still a valid one (HTTP-7,
    /// CVE-2022-31005).
    private static func number(_ text: Substring) -> Int64? {
        var value: Int64 = 0
        for byte in text.utf8 {
            guard Bytes.isDigit(byte) else { return nil }
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = scaled.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
            value = overflow || carry ? .max : sum
        }
        return value
    }

    /// The bytes meant out of `size`, never empty; `nil` if there are none.
    package func resolved(size: Int64) -> Range<Int64>? {
        guard size > 0 else { return nil }
        switch self {
        case .from(let first):
            return first < size ? first..<size : nil
        case .bounded(let first, let last):
            guard first < size, last >= first else { return nil }
            // `last` is below `size` after the clamp, so one more cannot overflow.
            return first..<(min(last, size - 1) + 1)
        case .suffix(let count):
            return count > 0 ? (size - min(count, size))..<size : nil
        }
    }
}
