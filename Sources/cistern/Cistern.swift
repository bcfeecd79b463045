import ArgumentParser
import Configuration
import Daemon

/// The command `cistern`.
@main
struct Cistern: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cistern",
        abstract: "A pull-through cache for container registries.",
        discussion: """
            cistern serve             docker.io, quay.io and more on 127.0.0.1:5000
            cistern hosts containerd  what makes containerd pull through it

            \(ExitStatus.help)
            """,
        version: "cistern \(Version.number)",
        subcommands: [
            Serve.self, Check.self, Hosts.self, Verify.self, Pin.self, Unpin.self, User.self,
            Token.self, Copy.self, Migrate.self, VersionCommand.self,
        ],
        defaultSubcommand: Serve.self)

    /// Turns down a mistyped command before it is taken for an argument of `serve`.
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if let word = arguments.first, !word.hasPrefix("-"), !Verb.all.contains(word) {
            StandardStreams.writeError(Verb.unknown(word))
            exit(withError: ExitStatus.usage)
        }
        main(arguments)
    }
}

/// The words that may stand first.
enum Verb {
    static let all = [
        "serve", "check", "hosts", "verify", "pin", "unpin", "user", "token", "copy",
        "migrate", "version", "help",
    ]

    /// What is said of a word that is none of them.
    static func unknown(_ word: String) -> String {
        let fix = Spelling.nearest(to: word, among: all).map { "cistern \($0)" }
        return """
            error: unknown command "\(Spelling.quoted(word))"
              fix:  \(fix ?? "one of " + all.joined(separator: ", "))

            """
    }
}
