/// A Content-Range value (RFC 9110 §14.4).
package struct ContentRange: Hashable, Sendable, CustomStringConvertible {
    /// The first and last byte, both included; `nil` in the answer to an unsatisfiable range.
    package let bounds: ClosedRange<Int64>?
    /// The length of the whole; `nil` where it stands as `*`.
    package let total: Int64?

    /// `bytes first-last/total` of a part that is not empty.
    package init(_ range: Range<Int64>, total: Int64?) {
        self.bounds = range.isEmpty ? nil : range.lowerBound...(range.upperBound - 1)
        self.total = total
    }

    /// `bytes */total`, for status 416.
    package init(unsatisfiable total: Int64) {
        self.bounds = nil
        self.total = total
    }

    /// Parses the value an upstream sent; `nil` unless its numbers fit and agree.
    package init?(parsing text: String) {
        let parts = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.count == 2, Bytes.equalIgnoringCase(parts[0], "bytes") else { return nil }
        let halves = parts[1].split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2 else { return nil }
        if halves[1] == "*" {
            total = nil
        } else {
            guard let number = Self.number(halves[1]) else { return nil }
            total = number
        }
        if halves[0] == "*" {
            guard total != nil else { return nil }
            bounds = nil
            return
        }
        let ends = halves[0].split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let first = Self.number(ends[0]), let last = Self.number(ends[1]),
            first <= last, total.map({ last < $0 }) ?? true, last < .max
        else { return nil }
        bounds = first...last
    }

    private static func number(_ text: Substring) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy(Bytes.isDigit) else { return nil }
        return Int64(text)
    }

    package var description: String {
        let total = total.map { String($0) } ?? "*"
        guard let bounds else { return "bytes */\(total)" }
        return "bytes \(bounds.lowerBound)-\(bounds.upperBound)/\(total)"
    }
}
