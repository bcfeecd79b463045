import ArgumentParser
import Configuration

/// `cistern pin`: keeps images whatever else has to go.
struct Pin: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keep images: fetch what is missing of them and never evict them.",
        discussion: """
            cistern pin docker.io/library/nginx:1.27     fetched now, kept wherever the tag moves
            cistern pin 'docker.io/library/debian:*'     whatever of it is pulled is kept
            cistern pin --until 90d --note "stand-by for the fair" quay.io/acme/shop:2.1
            cistern pin ls                               what is pinned
            cistern unpin docker.io/library/nginx:1.27

            Pins outlive restarts. What does not fit beside them is passed through.
            \(ExitStatus.help)
            """)

    @Argument(help: "Images; ls, or none, prints all pins.")
    var images: [String] = []

    @Option(help: ArgumentHelp("How long; else until it is unpinned.", valueName: "duration"))
    var until: String?

    @Option(help: ArgumentHelp("What for, in one line.", valueName: "text"))
    var note: String?

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let client = ControlClient(configuration: try options.load(purpose: .check))
        let isList = images.isEmpty || images == ["ls"]
        var parameters = note.map { [("note", $0)] } ?? []
        if let until {
            guard let seconds = TimeSpan.seconds(until), seconds > 0 else {
                throw Self.usage("--until takes a duration such as 90d", fix: "--until 90d")
            }
            parameters.append(("seconds", String(seconds)))
        }
        guard !isList else {
            guard parameters.isEmpty else {
                throw Self.usage("--until and --note are of an image", fix: "name the image")
            }
            _ = try client.run("GET", "/pins", []) { StandardStreams.writeOutput("\($0)\n") }
            return
        }
        try ControlClient.each(images, "/pin", parameters, client)
    }

    private static func usage(_ error: String, fix: String) -> ExitCode {
        StandardStreams.writeError("error: \(error)\n  fix:  \(fix)\n")
        return ExitStatus.usage
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
        try ControlClient.each(images, "/unpin", [], client)
    }
}

extension ControlClient {
    /// Runs a command for each image; ends with 1 if one failed.
    fileprivate static func each(
        _ images: [String], _ path: String, _ parameters: [(String, String)],
        _ client: ControlClient
    ) throws {
        var hasFailed = false
        for image in images {
            let last = try client.run("POST", path, [("ref", image)] + parameters) { line in
                line.hasPrefix("error:")
                    ? StandardStreams.writeError("\(line)\n")
                    : StandardStreams.writeOutput("\(image): \(line)\n")
            }
            if !last.hasPrefix("done:") { hasFailed = true }
        }
        if hasFailed { throw ExitCode.failure }
    }
}
