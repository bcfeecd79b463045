import ArgumentParser
import Configuration

/// `cistern check`: says what is wrong with a configuration, without network.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say everything that is wrong with a configuration.",
        discussion: """
            cistern check -c /etc/cistern/config.toml
            cistern check -c - < config.toml

            Reads the file, the CISTERN__… variables and the secrets; asks nobody.
            \(ExitStatus.help)
            """)

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let configuration = try options.load(purpose: .check)
        for warning in configuration.warnings { StandardStreams.writeError("\(warning)\n\n") }
        let listeners = configuration.listeners.map { "\($0.address)" }
        let repositories = configuration.repositories.count
        StandardStreams.writeOutput(
            """
            ok: \(configuration.source ?? "built-in configuration"): \
            \(repositories) \(repositories == 1 ? "repository" : "repositories") \
            on \(listeners.joined(separator: ", "))

            """)
    }
}
