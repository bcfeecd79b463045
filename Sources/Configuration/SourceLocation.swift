/// A stretch of one line of the configuration's sources.
package struct SourceLocation: Sendable, Equatable {
    /// The file's name, or `environment`, or `command line`.
    package var source: String
    /// Counted from 1; 0 where the source has no lines.
    package var line: Int
    /// Counted from 1 in Unicode scalars.
    package var column: Int
    /// How many scalars are meant, at least 1.
    package var width: Int
    /// The line as it may be shown: secrets cut, control characters replaced.
    package var text: String
}
