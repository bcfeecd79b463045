/// Every error of a configuration that could not be used; none of it is in force.
package struct ConfigurationErrors: Error, Sendable, Equatable, CustomStringConvertible {
    /// In the order of the sources; at least one of them is an error.
    package var diagnostics: [Diagnostic]

    /// How many of them are errors.
    package var count: Int { diagnostics.count { $0.severity == .error } }

    /// All of them as a compiler writes them, and a last line that counts them.
    package var description: String {
        let warnings = diagnostics.count - count
        var last = count == 1 ? "1 error" : "\(count) errors"
        if warnings > 0 { last += warnings == 1 ? ", 1 warning" : ", \(warnings) warnings" }
        return (diagnostics.map(\.description) + [last]).joined(separator: "\n\n")
    }
}
