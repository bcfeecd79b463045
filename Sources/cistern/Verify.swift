import ArgumentParser
import Configuration

/// `cistern verify`: has the daemon read and hash what it stores.
struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read and hash stored images; what is damaged is fetched again.",
        discussion: """
            cistern verify                               everything that is stored
            cistern verify docker.io/library/nginx:1.27  one image
            cistern verify --rate 50MiB                  at most so much a second

            The running daemon does it, while it serves. Of what was pushed and is damaged it says
            where: nobody but who pushed it can send it again. Ends with 1 if anything was damaged.
            \(ExitStatus.help)
            """)

    @Argument(help: "Images; all that is stored without.")
    var images: [String] = []

    @Flag(help: "All that is stored, as without images.")
    var all = false

    @Option(
        help: ArgumentHelp(
            "Read at most so much per second; else as fast as it goes.", valueName: "size"))
    var rate: String?

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let client = ControlClient(configuration: try options.load(purpose: .check))
        var parameters = all ? [] : images.map { ("ref", $0) }
        if let rate {
            guard let bytes = ByteRate.parse(rate) else {
                StandardStreams.writeError(
                    "error: --rate takes a size such as 50MiB\n  fix:  --rate 50MiB\n")
                throw ExitStatus.usage
            }
            parameters.append(("rate", String(bytes)))
        }
        let last = try client.run("POST", "/verify", parameters) { line in
            if line.hasPrefix("error:") {
                StandardStreams.writeError("\(line)\n")
            } else if line.hasPrefix("verified ") {
                StandardStreams.writeError("\(line)\n")
            } else {
                StandardStreams.writeOutput("\(line)\n")
            }
        }
        let words = last.split(separator: " ")
        guard words.first == "done:", words.contains("damaged=0"), words.contains("missing=0")
        else { throw ExitCode.failure }
    }
}
