/// Swift source with comments and literals blanked out, so that rules look at code alone.
///
/// Lines and columns stay where they are. Code inside string interpolation is blanked as well.
struct SwiftCode {
    private let source: [UInt8]
    private var code: [UInt8]
    private var position = 0

    /// Blanks the source text.
    static func blanked(_ text: String) -> String {
        var scanner = SwiftCode(text)
        while scanner.position < scanner.source.count { scanner.step() }
        return String(decoding: scanner.code, as: UTF8.self)
    }

    private init(_ text: String) {
        source = Array(text.utf8)
        code = source
    }

    private mutating func step() {
        // Nearly every byte begins nothing special; asking costs most of this type's time.
        guard [0x22, 0x23, 0x2F].contains(source[position]) else {
            position += 1
            return
        }
        if starts(with: "//") {
            while position < source.count, source[position] != UInt8(ascii: "\n") { blank() }
        } else if starts(with: "/*") {
            blankBlockComment()
        } else if let hashes = hashesOfString() {
            blankString(hashes: hashes)
        } else {
            position += 1
        }
    }

    private mutating func blankBlockComment() {
        var depth = 0
        repeat {
            if starts(with: "/*") {
                depth += 1
                blank(2)
            } else if starts(with: "*/") {
                depth -= 1
                blank(2)
            } else {
                blank()
            }
        } while depth > 0 && position < source.count
    }

    /// The number of `#` before a string that begins here, or nil when none does.
    private func hashesOfString() -> Int? {
        var end = position
        while end < source.count, source[end] == UInt8(ascii: "#") { end += 1 }
        return end < source.count && source[end] == UInt8(ascii: "\"") ? end - position : nil
    }

    private mutating func blankString(hashes: Int) {
        blank(hashes)
        let quotes = starts(with: "\"\"\"") ? "\"\"\"" : "\""
        let marks = String(repeating: "#", count: hashes)
        blank(quotes.utf8.count)
        while position < source.count {
            if starts(with: quotes + marks) {
                blank(quotes.utf8.count + hashes)
                return
            }
            if starts(with: "\\\(marks)(") {
                blank(hashes + 2)
                blankInterpolation()
            } else if starts(with: "\\\(marks)") {
                blank(hashes + 2)
            } else {
                blank()
            }
        }
    }

    private mutating func blankInterpolation() {
        var depth = 1
        while depth > 0 && position < source.count {
            if let hashes = hashesOfString() {
                blankString(hashes: hashes)
                continue
            }
            if source[position] == UInt8(ascii: "(") { depth += 1 }
            if source[position] == UInt8(ascii: ")") { depth -= 1 }
            blank()
        }
    }

    private mutating func blank(_ count: Int = 1) {
        for _ in 0..<count where position < source.count {
            if source[position] != UInt8(ascii: "\n") { code[position] = UInt8(ascii: " ") }
            position += 1
        }
    }

    private func starts(with text: String) -> Bool {
        source[position...].starts(with: text.utf8)
    }
}
