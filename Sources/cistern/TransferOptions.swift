import ArgumentParser
import CLinux
import Configuration
import Daemon
import Glibc
import Linux
import Migration
import Upstream

/// What `copy` and `migrate` have in common.
struct TransferOptions: ParsableArguments {
    @Option(
        name: [.short, .long], help: ArgumentHelp("Images at a time, 1 to 16.", valueName: "n"))
    var jobs = 4

    @Flag(help: "Say what would be copied, and copy nothing.")
    var dryRun = false

    @Option(
        help: ArgumentHelp(
            "The login for the source: a file with the line user:password.", valueName: "file"))
    var srcLogin: String?

    @Option(help: ArgumentHelp("The same for the destination.", valueName: "file"))
    var destLogin: String?

    @Option(
        name: .customLong("authfile"),
        help: ArgumentHelp(
            "Logins as docker and podman keep them; else $REGISTRY_AUTH_FILE and their own files.",
            valueName: "file"))
    var authFile: String?

    @Option(
        help: ArgumentHelp(
            "Certificates of authorities trusted besides the system's, in PEM.",
            valueName: "file"))
    var ca: String?

    @Option(
        help: ArgumentHelp(
            "A token endpoint on another host than its registry's that may see the login.",
            valueName: "url"))
    var realm: [String] = []

    @Flag(name: [.short, .long], help: "Show no progress.")
    var quiet = false

    func validate() throws {
        guard (1...16).contains(jobs) else {
            throw ValidationError("--jobs takes a number from 1 to 16.")
        }
        for text in realm where RemoteURL(parsing: text) == nil {
            throw ValidationError("--realm takes a URL, which \(Spelling.quoted(text)) is not.")
        }
        if let ca, Glibc.access(ca, R_OK) != 0 {
            throw ValidationError("--ca: \(ca) cannot be read.")
        }
    }

    var access: RegistryAccess {
        var access = RegistryAccess(userAgent: "cistern/\(Version.number)")
        access.jobs = jobs
        access.logins[.source] = srcLogin
        access.logins[.destination] = destLogin
        access.authFile = authFile
        access.caFile = ca
        access.realms = realm.compactMap { RemoteURL(parsing: $0) }
        return access
    }

    // MARK: - Running

    /// Does the job; throws the exit code of what did not go well.
    func run(_ job: CopyJob) throws {
        var job = job
        job.isDryRun = dryRun
        let ending: CopyEnding
        do {
            ending = try MigrationMain.run(job, output)
        } catch {
            throw Self.failure("\(error)", fix: "look at the limits of this user", .failure)
        }
        switch ending {
        case .done: return
        case .someFailed: throw ExitStatus.someFailed
        case .interrupted: throw ExitStatus.interrupted
        case .failed(let failure):
            throw Self.failure("\(failure)", fix: failure.fix, Self.code(of: failure))
        }
    }

    private static func code(of failure: CopyFailure) -> ExitCode {
        if failure.isDenial { return ExitStatus.notAllowed }
        return failure.isOutage ? ExitStatus.unavailable : .failure
    }

    static func failure(_ text: String, fix: String, _ code: ExitCode) -> ExitCode {
        StandardStreams.writeError("error: \(text)\n  fix:  \(fix)\n")
        return code
    }

    private var output: CopyOutput {
        let isDumb = getenv("TERM").map { String(cString: $0) } ?? "dumb" == "dumb"
        let isTerminal = isatty(2) == 1 && !isDumb
        return CopyOutput(
            progress: quiet ? .none : isTerminal ? .bars : .lines,
            output: { StandardStreams.writeOutput($0) },
            error: { StandardStreams.writeError($0) },
            columns: {
                let columns = Int(clinux_terminal_columns(2))
                return columns > 0 ? columns : 80
            })
    }

    /// Where images go, as an address with a path.
    static func address(_ text: String, _ what: String) throws -> RegistryAddress {
        guard let address = RegistryAddress(parsing: text) else {
            throw failure(
                "\(what) \"\(Spelling.quoted(text))\" is no address of a registry",
                fix: "cache.example.org/releases, or http://10.0.0.7:5000/releases",
                ExitStatus.usage)
        }
        return address
    }
}
