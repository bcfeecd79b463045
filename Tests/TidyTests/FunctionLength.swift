/// A function's place and length, found by the layout that the formatter guarantees.
struct FunctionLength {
    let path: String
    /// The declaration's line, counted from 1.
    let line: Int
    /// From the declaration to the closing brace.
    let length: Int
    /// Whether it is one flat, exhaustive `switch`, and says so in a comment.
    let isFlatSwitch: Bool

    /// All functions of a file that have a body of their own lines.
    static func all(in file: SourceFile) -> [FunctionLength] {
        let declaration = #/^ *([@\w()]+ )*(func |init[?(<]|deinit|subscript[(<])/#
        return file.code.indices.compactMap { index in
            guard file.code[index].contains(declaration),
                let opening = opening(from: index, in: file.code),
                let closing = closing(
                    from: opening, indent: indent(file.code[index]), in: file.code)
            else { return nil }
            let above = max(0, index - 1)
            return FunctionLength(
                path: file.path, line: index + 1, length: closing - index + 1,
                isFlatSwitch: file.lines[above...closing].contains { $0.contains("// flat switch") }
            )
        }
    }

    /// The line whose end opens the body; nil for a requirement or a body on the same line.
    private static func opening(from start: Int, in code: [Substring]) -> Int? {
        var depth = 0
        for index in start..<code.count {
            depth += code[index].count { $0 == "(" || $0 == "[" }
            depth -= code[index].count { $0 == ")" || $0 == "]" }
            guard depth <= 0 else { continue }
            let line = code[index].trimmed
            if line.hasSuffix("{") { return index }
            let next = index + 1 < code.count ? code[index + 1].trimmed : ""
            let isContinued = next == "{" || next.hasPrefix("where ") || next.hasPrefix("->")
            guard line.hasSuffix("->") || line.hasSuffix(",") || isContinued else { return nil }
        }
        return nil
    }

    private static func closing(from start: Int, indent: Int, in code: [Substring]) -> Int? {
        let end = String(repeating: " ", count: indent) + "}"
        return code[start...].firstIndex { $0.hasPrefix(end) && $0.trimmed == "}" }
    }

    private static func indent(_ line: Substring) -> Int {
        line.prefix { $0 == " " }.count
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        let start = drop { $0 == " " }
        return start.prefix(
            (start.lastIndex { $0 != " " }).map {
                start.distance(from: start.startIndex, to: $0) + 1
            } ?? 0)
    }
}
