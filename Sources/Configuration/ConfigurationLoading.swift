extension Configuration {
    /// Reads, merges and validates the configuration; all errors are reported at once.
    package static func load(
        path: String?, environment: [String: String]
    ) -> Result<Configuration, ConfigurationErrors> {
        .failure(ConfigurationErrors(diagnostics: []))
    }
}
