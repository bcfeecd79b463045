/// A stretch of one line of the configuration's sources.
package struct SourceLocation: Sendable, Equatable {
    /// The file's path, `standard input`, `environment`, `command line` or `default`.
    package var source: String
    /// Counted from 1; 0 where the source has no lines.
    package var line: Int
    /// Counted from 1 in Unicode scalars.
    package var column: Int
    /// How many scalars are meant, at least 1.
    package var width: Int
    /// The line as it may be shown: secrets cut, control characters replaced.
    package var text: String

    /// `file:line:column`, or the source alone where it has no lines.
    package var name: String { line > 0 ? "\(source):\(line):\(column)" : source }

    /// The part of a long line around the place, with blanks up to the place and its width.
    var window: (text: String, indent: String, width: Int) {
        let scalars = Array(text.unicodeScalars)
        let lineMax = 120
        let start = scalars.count > lineMax && column > 80 ? column - 60 : 0
        let end = min(scalars.count, start + lineMax)
        let part = Array(scalars[min(start, end)..<end])
        let before = min(max(0, column - 1 - start), part.count)
        let indent = part[..<before].map { $0 == "\t" ? "\t" : " " }.joined()
        let shown = String(String.UnicodeScalarView(part))
        return (
            (start > 0 ? "…" : "") + shown + (end < scalars.count ? "…" : ""),
            (start > 0 ? " " : "") + indent, max(1, min(width, part.count - before))
        )
    }
}
