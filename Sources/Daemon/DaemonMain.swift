package import Configuration

/// The daemon's entry.
package enum DaemonMain {
    /// Runs until told to stop; the exit code.
    package static func run(
        _ configuration: Configuration,
        reload: @escaping @Sendable () -> Result<Configuration, ConfigurationErrors>
    ) -> Int32 { 69 }
}
