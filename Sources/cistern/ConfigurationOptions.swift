import ArgumentParser
import Configuration

/// `-c FILE`, as all commands take it.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        name: [.customShort("c"), .customLong("config")],
        help: ArgumentHelp(
            "The configuration file; without it what is built in holds.",
            valueName: "file"))
    var file: String?

    /// Loads it, or writes all errors and ends with 78.
    func load(
        flags: ConfigurationSource.Flags = .init(), purpose: ConfigurationSource.Purpose
    ) throws -> Configuration {
        let loaded = Configuration.load(
            path: file, environment: Host.environment, flags: flags, purpose: purpose)
        switch loaded {
        case .success(let configuration): return configuration
        case .failure(let errors):
            StandardStreams.writeError("\(errors)\n")
            throw ExitStatus.configuration
        }
    }
}
