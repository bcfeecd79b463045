extension Configuration {
    /// A file larger than this is no configuration.
    private static let fileBytesMax = 1 << 20

    /// Reads, merges and validates the configuration; all errors are reported at once.
    ///
    /// Without a path, or where the file names no listener or repository, what is built in holds.
    /// Flags win over the environment's `CISTERN__…` variables, these over the file. Secrets are
    /// read too, so calling it again takes up new ones. The path `-` means standard input.
    package static func load(
        path: String?, environment: [String: String], flags: ConfigurationSource.Flags = .init(),
        host: Host = .current, purpose: ConfigurationSource.Purpose = .serve
    ) -> Result<Configuration, ConfigurationErrors> {
        var file: (name: String, bytes: [UInt8])?
        do throws(InputFile.Failure) {
            if path == "-" {
                file = (
                    "standard input", try InputFile.readStandardInput(max: fileBytesMax)
                )
            } else if let path {
                file = (path, try InputFile.read(path: path, max: fileBytesMax))
            }
        } catch {
            let message = "cannot read \(Quoted.safe(path ?? "")): \(error)"
            return .failure(
                ConfigurationErrors(
                    diagnostics: [Diagnostic(severity: .error, code: "file", message: message)]))
        }
        return build(
            ConfigurationSource(
                file: file, environment: environment, flags: flags, host: host, purpose: purpose))
    }

    /// Validates a configuration given as text.
    package static func parse(
        _ text: String, name: String = "configuration", environment: [String: String] = [:],
        flags: ConfigurationSource.Flags = .init(), host: Host = .current
    ) -> Result<Configuration, ConfigurationErrors> {
        parse(
            bytes: Array(text.utf8), name: name, environment: environment, flags: flags, host: host)
    }

    /// Validates a configuration given as bytes, which need not be text at all.
    package static func parse(
        bytes: [UInt8], name: String = "configuration", environment: [String: String] = [:],
        flags: ConfigurationSource.Flags = .init(), host: Host = .current
    ) -> Result<Configuration, ConfigurationErrors> {
        guard bytes.count <= fileBytesMax else {
            let message = "cannot read \(name): \(InputFile.Failure.tooLarge(max: fileBytesMax))"
            return .failure(
                ConfigurationErrors(
                    diagnostics: [Diagnostic(severity: .error, code: "file", message: message)]))
        }
        return build(
            ConfigurationSource(
                file: (name, bytes), environment: environment, flags: flags, host: host,
                purpose: .serve))
    }

    private static func build(
        _ source: ConfigurationSource
    ) -> Result<Configuration, ConfigurationErrors> {
        var problems = Problems()
        var root = TOMLTable()
        var hasGaps = false
        if let file = source.file {
            let text = SourceText(
                name: file.name, text: String(decoding: file.bytes, as: UTF8.self))
            let parsed = SyntaxRecovery.parse(file.bytes, text, &problems)
            guard let parsed else { return .failure(problems.sorted) }
            root = parsed.table
            hasGaps = parsed.hasGaps
        }
        Overlay(source).apply(to: &root, &problems)
        var builder = ConfigurationBuilder(source: source, root: root, problems: problems)
        let configuration = builder.build()
        problems = builder.problems
        if hasGaps { problems.keepOnlyLocalErrors() }
        guard let configuration, !problems.hasErrors else { return .failure(problems.sorted) }
        return .success(configuration)
    }
}

extension Problems {
    /// Everything noted, in the order of the sources.
    fileprivate var sorted: ConfigurationErrors {
        let rank = { (diagnostic: Diagnostic) -> (Int, Int, Int) in
            guard let location = diagnostic.location else { return (3, 0, 0) }
            let source = location.line > 0 ? 0 : location.source == "environment" ? 1 : 2
            return (source, location.line, location.column)
        }
        return ConfigurationErrors(diagnostics: diagnostics.sorted { rank($0) < rank($1) })
    }
}
