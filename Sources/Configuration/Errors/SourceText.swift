/// One source of configuration, kept so that errors can show the line they are about.
final class SourceText: Sendable {
    /// A file's path, `standard input`, `environment` or `command line`.
    let name: String
    /// Without line ends.
    let lines: [String]
    /// Whether the lines have numbers; an environment variable's only line has none.
    let isNumbered: Bool

    init(name: String, text: String, isNumbered: Bool = true) {
        self.name = name
        self.isNumbered = isNumbered
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.hasSuffix("\r") ? String(line.dropLast()) : String(line)
        }
    }

    /// The line counted from 1, or nothing when there is no such line.
    func line(_ number: Int) -> String {
        lines.indices.contains(number - 1) ? lines[number - 1] : ""
    }
}

/// A stretch of one line of a source.
struct Place: Sendable {
    let source: SourceText
    /// Counted from 1.
    let line: Int
    /// Counted from 1 in Unicode scalars.
    let column: Int
    /// In Unicode scalars, at least 1.
    let width: Int

    /// The place as errors show it: secrets cut, control characters replaced.
    var location: SourceLocation {
        let shown = ShownLine(of: source, line: line)
        let column = min(column, shown.scalarCount + 1)
        return SourceLocation(
            source: source.name, line: source.isNumbered ? line : 0, column: column,
            width: max(1, min(width, shown.scalarCount + 1 - column)), text: shown.text)
    }
}
