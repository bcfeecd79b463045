import Glibc

/// Writes wall-clock times as RFC 3339 in UTC, breaking a second down only once.
package struct Timestamp {
    private var second: Int64 = .min
    /// `2026-01-31T12:34:56` of `second`.
    private var text: [UInt8] = []

    /// Appends `2026-01-31T12:34:56.789Z`.
    mutating func append(_ wallMilliseconds: Int64, to bytes: inout [UInt8]) {
        let milliseconds = refresh(wallMilliseconds)
        bytes += text
        bytes.append(UInt8(ascii: "."))
        Timestamp.appendPadded(milliseconds, digits: 3, to: &bytes)
        bytes.append(UInt8(ascii: "Z"))
    }

    /// `2026-01-31T12:34:56Z`, from seconds since 1970.
    package static func text(_ wallSeconds: Int64) -> String {
        let (milliseconds, overflow) = wallSeconds.multipliedReportingOverflow(by: 1000)
        var timestamp = Timestamp()
        _ = timestamp.refresh(overflow ? .max : milliseconds)
        return String(decoding: timestamp.text, as: UTF8.self) + "Z"
    }

    /// Appends `12:34:56`, for a person who knows the day.
    mutating func appendTime(_ wallMilliseconds: Int64, to bytes: inout [UInt8]) {
        _ = refresh(wallMilliseconds)
        bytes += text.suffix(8)
    }

    /// Appends a number with leading zeros.
    static func appendPadded(_ number: Int64, digits: Int, to bytes: inout [UInt8]) {
        let text = String(number)
        for _ in 0..<max(0, digits - text.utf8.count) { bytes.append(UInt8(ascii: "0")) }
        bytes += text.utf8
    }

    private mutating func refresh(_ wallMilliseconds: Int64) -> Int64 {
        let (quotient, milliseconds) = max(0, wallMilliseconds).quotientAndRemainder(
            dividingBy: 1000)
        guard quotient != second else { return milliseconds }
        second = quotient
        text.removeAll(keepingCapacity: true)
        var time = time_t(quotient)
        var parts = tm()
        gmtime_r(&time, &parts)
        let fields: [(Int32, Int, String)] = [
            (parts.tm_year &+ 1900, 4, "-"), (parts.tm_mon &+ 1, 2, "-"), (parts.tm_mday, 2, "T"),
            (parts.tm_hour, 2, ":"), (parts.tm_min, 2, ":"), (parts.tm_sec, 2, ""),
        ]
        for (number, digits, separator) in fields {
            Timestamp.appendPadded(Int64(number), digits: digits, to: &text)
            text += separator.utf8
        }
        return milliseconds
    }
}
