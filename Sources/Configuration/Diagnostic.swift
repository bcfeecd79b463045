/// One thing that is wrong or odd in the configuration, with the place and the way out.
package struct Diagnostic: Sendable, Equatable {
    /// Whether it keeps the configuration from being used.
    package enum Severity: String, Sendable {
        case error, warning
    }

    package var severity: Severity
    /// A short stable name of the kind, such as `unknown-key`.
    package var code: String
    /// What is wrong, in one sentence without full stop.
    package var message: String
    /// Where; nil when it is nowhere in particular.
    package var location: SourceLocation?
    /// What stands behind the carets, such as `did you mean …?`.
    package var label: String?
    /// What to do about it.
    package var help: String?
}
