/// Writes text from outside so that it can neither end a line nor steer a terminal (CRED-7).
enum LogText {
    /// Most bytes one field takes in a line, escapes included (CRED-7).
    static let fieldBytesMax = 256

    /// Stands for what was cut off.
    private static let ellipsis: [UInt8] = Array("…".utf8)

    private static let hexDigits: [UInt8] = Array("0123456789abcdef".utf8)

    /// Cuts text to slightly more than a field shows.
    ///
    /// Longer text stays longer than the field, so that the ellipsis still appears.
    static func clipped(_ text: String) -> String {
        guard text.utf8.count > fieldBytesMax else { return text }
        return String(decoding: text.utf8.prefix(fieldBytesMax + 4), as: UTF8.self)
    }

    /// Appends a logfmt value: bare when it is plain, quoted and escaped otherwise.
    static func appendLogfmt(_ text: String, to line: inout [UInt8]) {
        if text.isEmpty || !text.utf8.allSatisfy(isPlain) {
            line.append(UInt8(ascii: "\""))
            appendEscaped(text, to: &line, reserved: 2)
            line.append(UInt8(ascii: "\""))
        } else {
            appendEscaped(text, to: &line, reserved: 0)
        }
    }

    /// Appends a JSON string with its quotes.
    static func appendJSON(_ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        appendEscaped(text, to: &line, reserved: 2)
        line.append(UInt8(ascii: "\""))
    }

    /// Appends text with JSON's escapes, cut at `fieldBytesMax` less `reserved` bytes.
    ///
    /// Control characters, quotes, backslashes and the invisible characters that reorder or hide
    /// text are escaped; what remains is safe on a terminal and inside JSON.
    static func appendEscaped(_ text: String, to line: inout [UInt8], reserved: Int) {
        let start = line.count
        let limit = fieldBytesMax - reserved
        var lastFitting = start
        for scalar in text.unicodeScalars {
            appendEscaped(scalar, to: &line)
            let used = line.count - start
            if used <= limit - ellipsis.count { lastFitting = line.count }
            if used > limit {
                line.removeSubrange(lastFitting...)
                line += ellipsis
                return
            }
        }
    }

    private static func appendEscaped(_ scalar: Unicode.Scalar, to line: inout [UInt8]) {
        switch scalar {
        case "\"": line += [0x5C, 0x22]
        case "\\": line += [0x5C, 0x5C]
        case "\n": line += [0x5C, 0x6E]
        case "\r": line += [0x5C, 0x72]
        case "\t": line += [0x5C, 0x74]
        case " "..."~": line.append(UInt8(truncatingIfNeeded: scalar.value))
        default:
            if isDangerous(scalar) {
                appendUnicodeEscape(scalar, to: &line)
            } else {
                line += UTF8.encode(scalar).map(Array.init) ?? []
            }
        }
    }

    private static func appendUnicodeEscape(_ scalar: Unicode.Scalar, to line: inout [UInt8]) {
        for unit in UTF16.encode(scalar).map(Array.init) ?? [] {
            line += [0x5C, 0x75]
            for shift in [12, 8, 4, 0] {
                line.append(hexDigits[Int(unit >> UInt16(shift)) & 15])
            }
        }
    }

    /// C0, DEL, C1, line separators, and format characters (bidirectional overrides, zero width).
    private static func isDangerous(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
            true
        default: false
        }
    }

    /// Bytes that need no quotes in logfmt.
    private static func isPlain(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "=")
            && byte != UInt8(ascii: "\\")
    }
}
