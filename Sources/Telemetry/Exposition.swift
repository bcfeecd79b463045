/// A page in Prometheus' text format 0.0.4, as it is written.
struct Exposition {
    private(set) var bytes: [UInt8] = []

    /// Begins a family.
    mutating func family(_ name: String, help: String, type: String) {
        bytes += "# HELP \(name) ".utf8
        appendEscaped(help, quotes: false)
        bytes += "\n# TYPE \(name) \(type)\n".utf8
    }

    mutating func sample(
        _ name: String, _ labels: [String], _ values: [String], _ value: Int
    ) {
        appendSeries(name, labels, values)
        bytes += "\(value)\n".utf8
    }

    mutating func sample(
        _ name: String, _ labels: [String], _ values: [String], _ value: Double
    ) {
        appendSeries(name, labels, values)
        bytes += "\(Exposition.text(value))\n".utf8
    }

    /// A number as the format spells it; whole numbers without a fraction.
    static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return Int64(exactly: value).map { String($0) } ?? value.description
    }

    private mutating func appendSeries(_ name: String, _ labels: [String], _ values: [String]) {
        bytes += name.utf8
        if !labels.isEmpty {
            var separator = "{"
            for (label, value) in zip(labels, values) {
                bytes += "\(separator)\(label)=\"".utf8
                appendEscaped(value, quotes: true)
                bytes.append(UInt8(ascii: "\""))
                separator = ","
            }
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(UInt8(ascii: " "))
    }

    /// Escapes backslash and line feed, and in label values the quote.
    private mutating func appendEscaped(_ text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes += [0x5C, 0x5C]
            case UInt8(ascii: "\n"): bytes += [0x5C, 0x6E]
            case UInt8(ascii: "\"") where quotes: bytes += [0x5C, 0x22]
            default: bytes.append(byte)
            }
        }
    }
}
