/// One value of a log line.
///
/// Literals of strings, numbers and truth values convert by themselves, so a call site reads
/// `["address": .string(address), "attempt": 2]`.
package enum LogValue: Sendable, Equatable {
    /// Text, possibly from outside: it is escaped and cut when it is written (CRED-7).
    case string(String)
    case integer(Int64)
    case flag(Bool)
    /// A length of time, written as seconds with six decimals.
    case duration(Duration)
    /// Nothing to say: `-` in logfmt, left out in JSON.
    case absent

    /// Text, or nothing when there is none.
    package static func optional(_ text: String?) -> LogValue {
        text.map { .string($0) } ?? .absent
    }

    /// The text of anything that describes itself, such as an error.
    package static func describing(_ subject: some CustomStringConvertible) -> LogValue {
        .string(subject.description)
    }

    /// The same value with text cut to what a line can show, so that a queued line stays small.
    var clipped: LogValue {
        guard case .string(let text) = self else { return self }
        return .string(LogText.clipped(text))
    }
}

extension LogValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    package init(stringLiteral value: String) {
        self = .string(value)
    }
}

extension LogValue: ExpressibleByIntegerLiteral {
    package init(integerLiteral value: Int64) {
        self = .integer(value)
    }
}

extension LogValue: ExpressibleByBooleanLiteral {
    package init(booleanLiteral value: Bool) {
        self = .flag(value)
    }
}
