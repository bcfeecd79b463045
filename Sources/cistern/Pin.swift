import ArgumentParser
import Configuration

/// `cistern pin`: keeps images whatever else has to go.
struct Pin: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keep images: fetch what is missing of them and never evict them.",
        discussion: """
            cistern pin docker.io/library/nginx:1.27     fetched now, kept wherever the tag moves
            cistern pin 'docker.io/library/debian:*'     whatever of it is pulled is kept
            cistern pin                                  what is pinned
            cistern unpin docker.io/library/nginx:1.27

            Pins outlive restarts. What does not fit beside them is passed through.
            \(ExitStatus.help)
            """)

    @Argument(help: "Images; without any, all pins are printed.")
    var images: [String] = []

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let client = ControlClient(configuration: try options.load(purpose: .check))
        guard !images.isEmpty else {
            _ = try client.run("GET", "/pins", []) { StandardStreams.writeOutput("\($0)\n") }
            return
        }
        try ControlClient.each(images, "/pin", client)
    }
}

/// `cistern unpin`: lets images go when they are the least recently used.
struct Unpin: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let pinned images be evicted again.",
        discussion: """
            cistern unpin docker.io/library/nginx:1.27

            \(ExitStatus.help)
            """)

    @Argument(help: "Images, as they were pinned.")
    var images: [String]

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let client = ControlClient(configuration: try options.load(purpose: .check))
        try ControlClient.each(images, "/unpin", client)
    }
}

extension ControlClient {
    /// Runs a command for each image; ends with 1 if one failed.
    fileprivate static func each(
        _ images: [String], _ path: String, _ client: ControlClient
    ) throws {
        var hasFailed = false
        for image in images {
            let last = try client.run("POST", path, [("ref", image)]) { line in
                line.hasPrefix("error:")
                    ? StandardStreams.writeError("\(line)\n")
                    : StandardStreams.writeOutput("\(image): \(line)\n")
            }
            if !last.hasPrefix("done:") { hasFailed = true }
        }
        if hasFailed { throw ExitCode.failure }
    }
}
