/// Collects everything that is wrong, so that it can be reported at once.
struct Problems: Sendable {
    /// More than anybody reads; a hostile file could bring a hundred thousand.
    private static let diagnosticsMax = 100

    private(set) var diagnostics: [Diagnostic] = []

    /// Whether nothing more will be noted.
    var isFull: Bool { diagnostics.count >= Self.diagnosticsMax }

    var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

    /// Notes an error; `label` stands behind the carets, `help` on a line of its own.
    mutating func error(
        _ code: String, _ message: String, at place: Place?, label: String? = nil,
        help: String? = nil
    ) {
        guard !isFull else { return }
        diagnostics.append(
            Diagnostic(
                severity: .error, code: code, message: message, location: place?.location,
                label: label, help: help))
    }

    /// Notes something odd that does not keep the configuration from being used.
    mutating func warning(
        _ code: String, _ message: String, at place: Place?, help: String? = nil
    ) {
        guard !isFull else { return }
        diagnostics.append(
            Diagnostic(
                severity: .warning, code: code, message: message, location: place?.location,
                help: help))
    }

    /// Drops what may merely follow from lines that could not be parsed.
    mutating func keepOnlyLocalErrors() {
        let local: Set<String> = [
            "syntax", "unknown-key", "bad-type", "bad-value", "bad-size",
            "bad-duration", "bad-address", "bad-url", "unknown-variable",
        ]
        diagnostics.removeAll { !local.contains($0.code) }
    }
}
