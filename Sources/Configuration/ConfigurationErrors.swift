/// Every error of a configuration that could not be used; none of it is in force.
package struct ConfigurationErrors: Error, Sendable, Equatable, CustomStringConvertible {
    /// In the order of the file; at least one of them is an error.
    package var diagnostics: [Diagnostic]

    package var description: String { "" }
}
