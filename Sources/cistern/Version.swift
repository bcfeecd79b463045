import ArgumentParser
import Configuration

/// `cistern version`.
struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the version.")

    func run() {
        StandardStreams.writeOutput("cistern \(Release.version)\n")
    }
}
