import ArgumentParser
import Configuration
import Daemon

/// `cistern serve`: runs the daemon in the foreground.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the cache in the foreground.",
        discussion: """
            cistern serve
            cistern serve -c /etc/cistern/config.toml --max-size 50GiB

            Flags win over CISTERN__… variables, these over the file.
            SIGHUP takes a new file; SIGTERM ends it after running transfers.

            \(ExitStatus.help)
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(
        help: ArgumentHelp(
            "Listen here, with the default routes, instead of where the file says; \":5000\" is"
                + " every IPv4 address. May be repeated.", valueName: "address:port"))
    var listen: [String] = []

    @Option(help: ArgumentHelp("The store's directory.", valueName: "directory"))
    var store: String?

    @Option(help: ArgumentHelp("What the store may take: 50GiB or 80%.", valueName: "size"))
    var maxSize: String?

    @Flag(help: "Run as root all the same.")
    var allowRoot = false

    func validate() throws {
        // A reload reads the file again, and standard input is gone by then.
        if options.file == "-" {
            throw ValidationError("serve takes no configuration from standard input.")
        }
    }

    func run() throws {
        guard allowRoot || !Host.current.isRoot else {
            StandardStreams.writeError(
                """
                error: refusing to run as root
                  fix:  run it as a user of its own (systemd/cistern.service does so),
                        or say cistern serve --allow-root

                """)
            throw ExitStatus.notAllowed
        }
        let flags = ConfigurationSource.Flags(listen: listen, store: store, maxSize: maxSize)
        let configuration = try options.load(flags: flags, purpose: .serve)
        let path = options.file
        let code = DaemonMain.run(
            configuration,
            reload: {
                Configuration.load(path: path, environment: Host.environment, flags: flags)
            })
        if code != 0 { throw ExitCode(code) }
    }
}
