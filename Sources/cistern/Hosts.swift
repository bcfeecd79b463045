import ArgumentParser
import Configuration

/// `cistern hosts RUNTIME`: prints what makes a runtime pull through the cache.
struct Hosts: ParsableCommand {
    /// The runtimes it knows.
    enum Runtime: String, ExpressibleByArgument, CaseIterable {
        case containerd, docker, podman
    }

    static let configuration = CommandConfiguration(
        abstract: "Print a container runtime's configuration for this cache.",
        discussion: """
            cistern hosts containerd
            cistern hosts podman --server http://cache.example.org:5000 --registry quay.io

            podman's text serves skopeo, buildah and CRI-O too. Nothing is written.
            \(ExitStatus.help)
            """)

    @Argument(help: "containerd, docker or podman.")
    var runtime: Runtime

    @OptionGroup var options: ConfigurationOptions

    @Option(
        help: ArgumentHelp(
            "Where clients reach the cache; else the first listener's address.",
            valueName: "url"))
    var server: String?

    @Option(
        help: ArgumentHelp(
            "Only this registry; may be repeated. Else all proxies.", valueName: "name"))
    var registry: [String] = []

    @Flag(help: "Never let clients go to the registry itself.")
    var noFallback = false

    func run() throws {
        let loaded = try options.load(purpose: .check)
        do throws(ClientSetup.Failure) {
            let setup = try ClientSetup(
                configuration: loaded, server: server, registries: registry,
                fallsBack: !noFallback)
            switch runtime {
            case .containerd: StandardStreams.writeOutput(try setup.containerd())
            case .podman: StandardStreams.writeOutput(try setup.podman())
            case .docker:
                let text = try setup.docker()
                StandardStreams.writeOutput(text.json)
                for note in text.notes { StandardStreams.writeError("note: \(note)\n") }
            }
        } catch {
            StandardStreams.writeError(error.text)
            throw ExitStatus.usage
        }
    }
}

extension ClientSetup.Failure {
    /// One error with its fix.
    fileprivate var text: String {
        switch self {
        case .server(let url):
            """
            error: "\(Spelling.quoted(url))" is no URL of a server
              fix:  --server http://cache.example.org:5000

            """
        case .unknownRegistry(let registry, let meant):
            """
            error: this configuration has no proxy of \(registry)
              fix:  \(meant.map { "--registry \($0)" } ?? "add [repositories.NAME] for it")

            """
        case .unreachable(let registry, let why):
            """
            error: this runtime cannot be led to \(registry)
              cause: \(why)

            """
        }
    }
}
