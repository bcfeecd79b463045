extension Duration {
    /// What `"forever"` means: a hundred years, which every clock here can still add to now.
    package static let forever = Duration.seconds(100 * 365 * 86400)
}

/// Durations as they are given to a command.
package enum TimeSpan {
    /// How many seconds `"90d"` are; nil if it is no duration.
    package static func seconds(_ text: String) -> Int64? {
        DurationText.parse(text)?.components.seconds
    }
}

/// Durations as they are written: `"30s"`, `"10m"`, `"1h30m"`, `"7d"`, `"forever"`.
enum DurationText {
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
        ("w", 604_800_000),
    ]

    static func read(
        _ node: TOMLNode, _ key: String, _ least: Duration, _ most: Duration,
        _ problems: inout Problems
    ) -> Duration? {
        switch node.content {
        case .integer(let number):
            problems.error(
                "bad-duration", "\(key) = \(number) has no unit", at: node.place,
                help: "\"\(number)s\" or \"\(number)m\"")
        case .string(let text):
            guard let value = parse(text) else {
                if !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) {
                    problems.error(
                        "bad-duration", "\(key) = \"\(Quoted.of(text))\" has no unit",
                        at: node.place, help: "\"\(text)s\" or \"\(text)m\"")
                    return nil
                }
                problems.error(
                    "bad-duration",
                    "\(key) takes a duration such as \"30s\", not \"\(Quoted.of(text))\"",
                    at: node.place, help: "units: ms, s, m, h, d, w")
                return nil
            }
            if value >= least, value <= most { return value }
            problems.error(
                "bad-duration",
                "\(key) takes a duration from \(self.text(least)) to \(self.text(most))",
                at: node.place)
        default:
            problems.wrongType(of: key, expected: "a duration such as \"30s\"", node)
        }
        return nil
    }

    /// Reads one or more numbers, each with its unit.
    static func parse(_ text: String) -> Duration? {
        if text == "forever" { return .forever }
        var rest = text[...]
        var total: Int64 = 0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest[digits.endIndex...].drop { $0 == " " }
            let unit = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest[unit.endIndex...].drop { $0 == " " }
            guard let number = Int64(digits),
                let factor = units.first(where: { $0.name == unit })?.milliseconds
            else { return nil }
            let part = number.multipliedReportingOverflow(by: factor)
            let sum = total.addingReportingOverflow(part.partialValue)
            guard !part.overflow, !sum.overflow else { return nil }
            total = sum.partialValue
        }
        let value = Duration.milliseconds(total)
        return value <= .forever ? value : nil
    }

    /// The duration in its largest whole unit.
    static func text(_ value: Duration) -> String {
        if value == .forever { return "forever" }
        let (seconds, fraction) = value.components
        let milliseconds = seconds * 1000 + fraction / 1_000_000_000_000_000
        let unit = units.last { milliseconds % $0.milliseconds == 0 && milliseconds != 0 }
        guard let unit else { return "0s" }
        return "\(milliseconds / unit.milliseconds)\(unit.name)"
    }
}
