/// `[log]`: what is written to standard error.
package struct LogConfiguration: Sendable, Equatable {
    /// The least severe event that is written.
    package enum Level: String, Sendable, CaseIterable {
        case error, warn, info, debug
    }

    /// How an event is written.
    package enum Format: String, Sendable, CaseIterable {
        /// Colour on a terminal, logfmt with priorities under journald, logfmt with time elsewhere.
        case auto
        /// `key=value` pairs.
        case logfmt
        /// One JSON object a line.
        case json
    }

    package var level: Level
    package var format: Format
    /// Whether each request writes one line.
    package var access: Bool
}
