import ArgumentParser
import Daemon

/// `cistern version`.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the version.")

    func run() {
        StandardStreams.writeOutput("cistern \(Version.number)\n")
    }
}
