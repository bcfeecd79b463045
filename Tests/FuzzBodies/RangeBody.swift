import HTTP

/// Range, Content-Range, Retry-After and entity tags (HTTP-7).
enum RangeBody {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        let text = String(decoding: bytes, as: UTF8.self)
        for size: Int64 in [0, 1, 1000, 1 << 40, .max] {
            try check(RangeSet(text, size: size), size: size)
        }
        if let ranges = ByteRange.parse(text) {
            let written = "bytes=" + ranges.map { describe($0) }.joined(separator: ",")
            try demand(ByteRange.parse(written) == ranges, "written again: \(written)")
            try demand(ranges.count <= ByteRange.rangesMax, "too many ranges")
        }
        if let range = ContentRange(parsing: text) {
            try demand(ContentRange(parsing: range.description) == range, "Content-Range")
            if let bounds = range.bounds {
                try demand(bounds.lowerBound >= 0, "negative")
                try demand(range.total.map { bounds.upperBound < $0 } ?? true, "beyond the total")
            }
        }
        if let seconds = RetryAfter.seconds(text, now: 1_000_000) {
            try demand(seconds >= 0, "negative Retry-After")
        }
        if let date = HTTPDate.parse(text) {
            try demand(HTTPDate.parse(HTTPDate.format(date)) == date, "date")
        }
        let tag = EntityTag("sha256:00")
        _ = tag.matches(ifNoneMatch: text)
        if tag.matches(ifRange: text) { try demand(text.contains("sha256:00"), "If-Range") }
    }

    private static func check(_ set: RangeSet, size: Int64) throws(FuzzFailure) {
        switch set {
        case .whole, .unsatisfiable: break
        case .single(let range): try check([range], size: size)
        case .multiple(let ranges):
            try demand(ranges.count > 1, "several ranges that are one")
            try check(ranges, size: size)
        }
    }

    /// Ascending, apart, not empty, within the content: what is sent is never longer than it.
    private static func check(_ ranges: [Range<Int64>], size: Int64) throws(FuzzFailure) {
        var end: Int64 = 0
        for range in ranges {
            try demand(!range.isEmpty && range.lowerBound >= end, "\(range) in \(ranges)")
            end = range.upperBound
        }
        try demand(end <= size, "\(ranges) of \(size)")
    }

    private static func describe(_ range: ByteRange) -> String {
        switch range {
        case .from(let first): "\(first)-"
        case .bounded(let first, let last): "\(first)-\(last)"
        case .suffix(let count): "-\(count)"
        }
    }
}
