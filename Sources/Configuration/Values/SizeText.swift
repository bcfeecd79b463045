/// Sizes as they are written: `"500MB"`, `"50GiB"`, `"80%"`.
enum SizeText {
    /// Whether a share of the file system means something.
    enum Allowance: Sendable {
        case bytesOnly, percent
    }

    static let expected = "a size such as \"50GiB\""
    static let expectedOrPercent = "a size such as \"50GiB\" or \"80%\""

    private static let units: [(name: String, bytes: Int64)] = [
        ("B", 1), ("kB", 1000), ("KiB", 1 << 10), ("MB", 1_000_000), ("MiB", 1 << 20),
        ("GB", 1_000_000_000), ("GiB", 1 << 30), ("TB", 1_000_000_000_000), ("TiB", 1 << 40),
        ("PB", 1_000_000_000_000_000), ("PiB", 1 << 50),
    ]

    static func read(
        _ node: TOMLNode, _ key: String, allowing: Allowance, _ problems: inout Problems
    ) -> SizeLimit? {
        let expected = allowing == .percent ? expectedOrPercent : expected
        switch node.content {
        case .integer(let number):
            problems.error(
                "bad-size", "\(key) = \(number) has no unit", at: node.place,
                help: twoMeanings(String(number), allowing))
        case .string(let text):
            switch parse(text, allowing) {
            case .value(let limit): return limit
            case .wrong(let why, let help):
                problems.error("bad-size", "\(key) \(why)", at: node.place, help: help)
            }
        default:
            problems.wrongType(of: key, expected: expected, node)
        }
        return nil
    }

    static func parse(_ text: String, _ allowing: Allowance) -> Parsed<SizeLimit> {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text[digits.endIndex...].drop { $0 == " " }
        guard !digits.isEmpty, let number = DecimalText(digits) else {
            return .wrong("takes \(expected), not \"\(Quoted.of(text))\"", help: nil)
        }
        if unit.isEmpty {
            return .wrong(
                "= \"\(Quoted.of(text))\" has no unit", help: twoMeanings(String(digits), allowing))
        }
        if unit == "%" { return percent(number, allowing) }
        guard let bytes = units.first(where: { $0.name.lowercased() == unit.lowercased() })?.bytes
        else { return unknownUnit(String(unit), String(digits)) }
        guard let count = number.times(bytes), count > 0 else {
            return .wrong("is out of range", help: "from 1 byte to 8191 PiB")
        }
        return .value(.bytes(count))
    }

    private static func percent(_ number: DecimalText, _ allowing: Allowance) -> Parsed<SizeLimit> {
        guard allowing == .percent else {
            return .wrong("takes a size, not a share of the file system", help: nil)
        }
        guard let share = number.times(1), number.isWhole, (1...100).contains(share) else {
            return .wrong("takes a share from 1% to 100%", help: nil)
        }
        return .value(.percent(Int(share)))
    }

    private static func unknownUnit(_ unit: String, _ digits: String) -> Parsed<SizeLimit> {
        let letter = unit.uppercased()
        let help =
            ["K", "M", "G", "T", "P"].contains(letter)
            ? "\"\(digits)\(letter)iB\" or \"\(digits)\(letter == "K" ? "k" : letter)B\""
            : "units: B, kB, MB, GB, TB and KiB, MiB, GiB, TiB"
        return .wrong("has the unknown unit \"\(Quoted.of(unit))\"", help: help)
    }

    private static func twoMeanings(_ digits: String, _ allowing: Allowance) -> String {
        let percent = Int(digits).map { (1...100).contains($0) } ?? false
        return allowing == .percent && percent
            ? "\"\(digits)GiB\" (or \"\(digits)%\" of the file system)"
            : "\"\(digits)MiB\" or \"\(digits)GiB\""
    }
}

/// A decimal number of at most 18 digits, kept exactly.
struct DecimalText {
    private let digits: Int64
    private let scale: Int64

    var isWhole: Bool { digits % scale == 0 }

    /// Reads digits with at most one point among them.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else { return nil }
        let joined = parts.joined()
        guard joined.utf8.count <= 18, let digits = Int64(joined) else { return nil }
        var scale: Int64 = 1
        if parts.count == 2 { for _ in 0..<parts[1].utf8.count { scale *= 10 } }
        self.digits = digits
        self.scale = scale
    }

    /// The number times `factor`, rounded down; nil where that is no Int64.
    func times(_ factor: Int64) -> Int64? {
        let wide = UInt64(digits).multipliedFullWidth(by: UInt64(factor))
        guard wide.high < UInt64(scale) else { return nil }
        return Int64(exactly: UInt64(scale).dividingFullWidth(wide).quotient)
    }
}

/// A speed on the command line: a size, with or without `/s`.
package enum ByteRate {
    /// Bytes per second; nil if it is none.
    package static func parse(_ text: String) -> Int64? {
        let size = text.hasSuffix("/s") ? String(text.dropLast(2)) : text
        guard case .value(.bytes(let bytes)) = SizeText.parse(size, .bytesOnly) else { return nil }
        return bytes
    }
}
