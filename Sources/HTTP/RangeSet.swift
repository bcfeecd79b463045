/// What a Range header means for content of a known size (protocol.md §1.3, §4.2; HTTP-7).
package enum RangeSet: Equatable, Sendable {
    /// Everything, with status 200: no header, one that is to be ignored, or nothing to gain.
    case whole
    /// One part, with status 206; never empty.
    case single(Range<Int64>)
    /// Several parts, ascending and apart, with status 206 and `multipart/byteranges`.
    case multiple([Range<Int64>])
    /// Status 416.
    case unsatisfiable

    /// Applies a Range header to content of `size` bytes.
    ///
    /// - Parameters:
    /// - header: The value of Range, `nil` if there is none. - size: The length of the content in
    /// bytes. - rangesMax: With more ranges than this the whole content is meant; 1 switches
    /// multipart off.
    package init(_ header: String?, size: Int64, rangesMax: Int = ByteRange.rangesMax) {
        guard let header, let ranges = ByteRange.parse(header) else {
            self = .whole
            return
        }
        // Nothing of an empty blob can be asked for, but containerd 2.1.0 to 2.1.2 sends `bytes=0-`
        // with every request and takes a 416 for a failure; a suffix of it is the whole by
        // definition.
        if size <= 0, ranges.allSatisfy({ $0 == .from(0) || $0.isNonEmptySuffix }) {
            self = .whole
            return
        }
        guard ranges.count <= rangesMax else {
            self = .whole
            return
        }
        let resolved = ranges.compactMap { $0.resolved(size: size) }
        guard let first = resolved.first else {
            self = .unsatisfiable
            return
        }
        if resolved.count == 1 {
            self = .single(first)
        } else {
            self = Self.areApart(resolved) ? .multiple(resolved) : .whole
        }
    }

    /// Whether the ranges ascend without overlap, as honest clients ask.
    ///
    /// Anything else could make an answer many times as long as the content (CVE-2011-3192), so it
    /// is answered by the content itself.
    private static func areApart(_ ranges: [Range<Int64>]) -> Bool {
        zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound }
    }
}

extension ByteRange {
    fileprivate var isNonEmptySuffix: Bool {
        if case .suffix(let count) = self { count > 0 } else { false }
    }
}
