/// A Retry-After value: seconds or a date (RFC 9110 §10.2.3).
package enum RetryAfter {
    /// The seconds to wait from `now` (since 1970), not negative; `nil` for anything malformed.
    package static func seconds(_ text: String, now: Int64) -> Int64? {
        let trimmed = Bytes.trimmed(text[...])
        if !trimmed.isEmpty, trimmed.utf8.allSatisfy(Bytes.isDigit) {
            // A number too large to hold is still "not for a long time".
            return Int64(trimmed) ?? .max
        }
        guard let date = HTTPDate.parse(String(trimmed)) else { return nil }
        let (difference, overflow) = date.subtractingReportingOverflow(now)
        return overflow ? nil : max(0, difference)
    }
}
