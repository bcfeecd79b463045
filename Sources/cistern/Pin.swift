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
        let parameters = try parameters()
        guard images.isEmpty || images == ["ls"] else {
            try ControlClient.each(images, "/pin", parameters, client)
            return
        }
        guard parameters.isEmpty else {
            throw Self.usage("--until and --note are of an image", fix: "name the image")
        }
        _ = try client.run("GET", "/pins", []) { StandardStreams.writeOutput("\($0)\n") }
    }

    private func parameters() throws -> [(String, String)] {
        var parameters: [(String, String)] = []
        if let note {
            guard Self.isOneLine(note) else {
                throw Self.usage(
                    "--note takes one line of at most 200 bytes", fix: "--note \"for the fair\"")
            }
            parameters.append(("note", note))
        }
        if let until {
            guard let seconds = TimeSpan.seconds(until), seconds > 0 else {
                throw Self.usage("--until takes a duration such as 90d", fix: "--until 90d")
            }
            parameters.append(("seconds", String(seconds)))
        }
        return parameters
    }

    /// What the daemon takes.
    private static func isOneLine(_ note: String) -> Bool {
        note.utf8.count <= 200
            && note.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 }
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
