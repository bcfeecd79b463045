import Glibc

/// A text file of the repository.
struct SourceFile: CustomStringConvertible {
    /// The path from the repository's top.
    let path: String
    let text: String
    let lines: [Substring]
    /// The lines with comments and literals blanked out; of Swift files only.
    let code: [Substring]

    init(path: String, text: String) {
        self.path = path
        self.text = text
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let isSwift = path.hasSuffix(".swift")
        code =
            isSwift
            ? SwiftCode.blanked(text).split(separator: "\n", omittingEmptySubsequences: false) : []
    }

    var description: String { path }

    /// The module under `Sources` that the file belongs to.
    var module: String? {
        let parts = path.split(separator: "/")
        return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
    }

    /// The modules that the file imports.
    var imports: [String] {
        code.compactMap { line in
            let words = line.split(separator: " ")
            guard let index = words.firstIndex(of: "import"), index + 1 < words.count,
                words[..<index].allSatisfy({ SourceFile.importModifiers.contains($0) })
            else { return nil }
            return words[words.count - 1].split(separator: ".").first.map(String.init)
        }
    }

    private static let importModifiers: Set<Substring> = [
        "package", "internal", "private", "fileprivate", "public", "@preconcurrency", "@testable",
    ]

    /// Whether the word stands anywhere in the file, found fast: rules that match by line ask
    /// first.
    func mentions(_ word: String) -> Bool {
        text.withCString { strstr($0, word) != nil }
    }

    /// Where a line of code contains the pattern, as `path:line: text`.
    func findings(_ pattern: some RegexComponent) -> [String] {
        zip(code, lines).enumerated().compactMap { index, pair in
            guard pair.0.contains(pattern) else { return nil }
            return "\(path):\(index + 1): \(pair.1)"
        }
    }

    /// The comment lines right above a line, and a comment on the line itself.
    func comments(above index: Int) -> [Substring] {
        var found: [Substring] = []
        if let comment = lines[index].firstRange(of: "//") {
            found.append(lines[index][comment.lowerBound...])
        }
        var above = index - 1
        while above >= 0 {
            let line = lines[above].drop { $0 == " " }
            guard line.hasPrefix("//") || line.hasPrefix("@") else { break }
            if line.hasPrefix("//") { found.append(line) }
            above -= 1
        }
        return found
    }
}
