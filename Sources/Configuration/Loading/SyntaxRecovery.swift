/// Parses a file in spite of broken lines, so that one run shows all of them.
enum SyntaxRecovery {
    /// Enough for anybody; each costs one more pass over the file.
    private static let attemptsMax = 20

    /// The document without the lines that are broken; nil where too much is.
    static func parse(
        _ bytes: [UInt8], _ source: SourceText, _ problems: inout Problems
    ) -> TOMLTable? {
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        var blanked: Set<Int> = []
        for _ in 0..<attemptsMax {
            let text = Array(lines.joined(separator: [UInt8(ascii: "\n")]))
            do throws(TOMLDocument.SyntaxError) {
                return try TOMLDocument.parse(text, .init(source: source))
            } catch {
                note(error, source, &problems)
                guard let line = error.place?.line, lines.indices.contains(line - 1),
                    isPlainAssignment(source.line(line)), blanked.insert(line).inserted
                else { return nil }
                lines[line - 1] = []
            }
        }
        return nil
    }

    private static func note(
        _ error: TOMLDocument.SyntaxError, _ source: SourceText, _ problems: inout Problems
    ) {
        let line = error.place.map { source.line($0.line) } ?? ""
        if let (key, value, column) = bareWord(line) {
            let place = error.place.map {
                Place(source: source, line: $0.line, column: column, width: value.count)
            }
            problems.error(
                "syntax", "a string needs quotes", at: place, help: "\(key) = \"\(value)\"")
        } else {
            problems.error("syntax", Quoted.safe(error.message), at: error.place)
        }
    }

    /// Whether leaving the line out leaves all other lines what they were.
    private static func isPlainAssignment(_ line: String) -> Bool {
        let bare = line.drop { $0 == " " || $0 == "\t" }
        guard let first = bare.first, first != "[", first != "#", first != "]", first != "}",
            let equals = bare.firstIndex(of: "=")
        else { return false }
        let value = bare[equals...]
        return !value.contains("\"\"\"") && !value.contains("'''") && !value.contains("[")
    }

    /// `key = word` where the word is no TOML value: the commonest slip of all.
    private static func bareWord(_ line: String) -> (key: String, value: String, column: Int)? {
        guard let equals = line.firstIndex(of: "=") else { return nil }
        let key = line[..<equals].filter { $0 != " " && $0 != "\t" }
        let rest = line[line.index(after: equals)...]
        let value = rest.drop { $0 == " " || $0 == "\t" }
        let word = value.prefix { $0 != "#" && $0 != " " && $0 != "\t" }
        let after = value[word.endIndex...].drop { $0 == " " || $0 == "\t" }
        let plain = word.utf8.allSatisfy { byte in
            (0x21...0x7E).contains(byte) && !"\"'\\[]{},=@".utf8.contains(byte)
        }
        guard !key.isEmpty, !word.isEmpty, plain, after.isEmpty || after.hasPrefix("#"),
            word.count <= 64, !key.lowercased().contains("password"),
            word != "true", word != "false", !word.utf8.allSatisfy({ (48...57).contains($0) })
        else { return nil }
        let column = line.unicodeScalars.count - value.unicodeScalars.count + 1
        return (key, String(word), column)
    }
}
