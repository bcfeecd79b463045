/// What this build calls itself.
package enum Version {
    package static let number = "0.1.0"
    /// Filled in by packaging; a build from a checkout does not know.
    static let commit = "unknown"
    static let swift = "6.3"
}
