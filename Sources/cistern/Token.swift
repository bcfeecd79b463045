import Access
import ArgumentParser
import Configuration
import Glibc
import Telemetry

/// `cistern token`: logins of robots, each good for what it was made for.
struct Token: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make, revoke and list the tokens of robots.",
        discussion: """
            cistern token create --allow pull:quay.io/acme/** --expires 90d --note "cluster 1"
            cistern token create --allow pull,push:releases --allow pull:docker.io
            cistern token ls
            cistern token revoke 3f9c01aa

            A token is printed once and stored as its SHA-256. It is a password for any user name:
            docker login -u token --password-stdin. Revoked, it ends with the next request.
            \(ExitStatus.help)
            """,
        subcommands: [Create.self, List.self, Revoke.self])

    /// Which file.
    struct File: ParsableArguments {
        @OptionGroup var options: ConfigurationOptions

        @Option(help: ArgumentHelp("The file of tokens; else auth.tokens.", valueName: "file"))
        var file: String?

        func open() throws -> AccessFile { try AccessFile(file, options, "tokens", \.tokens) }
    }

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a token and print it.")

        @Option(
            help: ArgumentHelp(
                "What it may: actions and names, as pull,push:releases/web/**. May be repeated.",
                valueName: "actions:names"))
        var allow: [String]

        @Option(
            help: ArgumentHelp("How long it counts; else until revoked.", valueName: "duration"))
        var expires: String?

        @Option(help: ArgumentHelp("What it is for, in one line.", valueName: "text"))
        var note: String = ""

        @OptionGroup var file: File

        func run() throws {
            let grants = try allow.map { text in
                guard let grant = Robot.Grant(parsing: text) else {
                    throw AccessFile.failure(
                        "\"\(Spelling.quoted(text))\" does not say what is allowed",
                        fix: "--allow pull:quay.io/acme/**, of pull, push, delete and admin",
                        ExitStatus.usage)
                }
                return grant
            }
            guard !grants.isEmpty else {
                throw AccessFile.failure(
                    "a token that may nothing", fix: "--allow pull:*", ExitStatus.usage)
            }
            let now = Int64(time(nil))
            let made = RobotFile.make(
                grants, madeSeconds: now, expiresSeconds: try end(from: now), note: note)
            try file.open().edit { RobotFile.appending(made.line, to: $0) }
            StandardStreams.writeOutput("\(made.token)\n")
            StandardStreams.writeError("note: \(made.id); it is not shown again\n")
        }

        private func end(from now: Int64) throws -> Int64? {
            guard let expires else { return nil }
            guard let seconds = TimeSpan.seconds(expires), seconds > 0 else {
                throw AccessFile.failure(
                    "--expires takes a duration such as 90d", fix: "--expires 90d",
                    ExitStatus.usage)
            }
            let (sum, isOver) = now.addingReportingOverflow(seconds)
            return isOver ? nil : sum
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "Print all tokens, without what is secret of them.")

        @OptionGroup var file: File

        func run() throws {
            let entries = RobotFile.parse(try file.open().read()).file.entries
            let now = Int64(time(nil))
            for entry in entries {
                let end = entry.expiresSeconds.map { Timestamp.text($0) } ?? "never"
                let fields = [
                    entry.robot.id, "made \(Timestamp.text(entry.madeSeconds))",
                    entry.isOver(atSeconds: now) ? "expired \(end)" : "expires \(end)",
                    entry.robot.grants.map(\.text).joined(separator: " "),
                ]
                let note = entry.note.isEmpty ? [] : [entry.note]
                StandardStreams.writeOutput((fields + note).joined(separator: "  ") + "\n")
            }
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End tokens at once.")

        @Argument(help: "What token ls shows first.") var ids: [String]
        @OptionGroup var file: File

        func run() throws {
            try file.open().edit { bytes in
                var bytes = bytes
                for id in ids {
                    guard RobotFile.parse(bytes).file.entry(id) != nil else {
                        throw AccessFile.failure(
                            "there is no token \"\(Spelling.quoted(id))\"", fix: "cistern token ls",
                            .failure)
                    }
                    bytes = RobotFile.removing(id, from: bytes)
                }
                return bytes
            }
        }
    }
}
