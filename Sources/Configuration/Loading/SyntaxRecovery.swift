/// Parses a file in spite of broken lines, so that one run shows all of them.
enum SyntaxRecovery {
    /// Enough for anybody; each costs one more pass over the file.
    private static let attemptsMax = 20

    /// What could be read of a document.
    struct Recovered {
        let table: TOMLTable
        /// Whether lines had to be left out, so that what seems to be missing may be there.
        let hasGaps: Bool
    }

    /// The document with quotes put in where they were forgotten, and without the lines that are
    /// broken otherwise; nil where too much is.
    static func parse(
        _ bytes: [UInt8], _ source: SourceText, _ problems: inout Problems
    ) -> Recovered? {
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        var repaired: Set<Int> = []
        var hasGaps = false
        for _ in 0..<attemptsMax {
            let text = Array(lines.joined(separator: [UInt8(ascii: "\n")]))
            do throws(TOMLDocument.SyntaxError) {
                let table = try TOMLDocument.parse(text, .init(source: source))
                return Recovered(table: table, hasGaps: hasGaps)
            } catch {
                guard let line = error.place?.line, lines.indices.contains(line - 1),
                    isPlainAssignment(source.line(line)), repaired.insert(line).inserted
                else {
                    problems.error("syntax", Quoted.safe(error.message), at: error.place)
                    return nil
                }
                let fix = quoted(line, source, &problems)
                if fix == nil {
                    problems.error("syntax", Quoted.safe(error.message), at: error.place)
                    hasGaps = true
                }
                lines[line - 1] = fix.map { Array($0.utf8)[...] } ?? []
            }
        }
        return nil
    }

    /// The line with quotes around its value, if that is what it lacks; notes it.
    private static func quoted(
        _ number: Int, _ source: SourceText, _ problems: inout Problems
    ) -> String? {
        let line = source.line(number)
        guard let (key, value, column) = bareWord(line) else { return nil }
        problems.error(
            "syntax", "a string needs quotes",
            at: Place(source: source, line: number, column: column, width: value.count),
            help: "\(key) = \"\(value)\"")
        let before = String(String.UnicodeScalarView(line.unicodeScalars.prefix(column - 1)))
        return "\(before)\"\(value)\""
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
        let plain = (key + word).utf8.allSatisfy { byte in
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
