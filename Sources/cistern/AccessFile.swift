import ArgumentParser
import Configuration
import Glibc
import Linux

/// The file of users, or of robots' tokens, that a command edits; a running daemon sees the change
/// with its next request.
struct AccessFile {
    let path: String
    private static let bytesMax = 4 << 20
    /// Whom a file is for that root makes: the group of the packaged service.
    private static let group = "cistern"

    /// `file` if given, else what the configuration names.
    init(
        _ file: String?, _ options: ConfigurationOptions, _ key: String,
        _ found: (AuthConfiguration) -> String?
    ) throws {
        if let file {
            path = Self.resolved(file)
            return
        }
        guard let auth = try options.load(purpose: .check).auth, let named = found(auth) else {
            throw Self.failure(
                "the configuration has no auth.\(key)",
                fix: "-c FILE of the daemon, or --file FILE",
                ExitStatus.configuration)
        }
        path = Self.resolved(named)
    }

    /// The file itself where the path is a symbolic link.
    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    /// Empty if there is none yet.
    func read() throws -> [UInt8] {
        do throws(Errno) {
            let file = try System.open(path, O_RDONLY)
            return try System.readAll(file.raw, bytesMax: Self.bytesMax)
        } catch {
            if error.code == ENOENT { return [] }
            throw Self.failure(
                "cannot read \(path): \(Errno.text(error.code))", fix: "run it as its owner",
                error.code == EACCES ? ExitStatus.notAllowed : ExitCode.failure)
        }
    }

    /// Changes it as a whole, with nobody else changing it meanwhile.
    func edit(_ change: ([UInt8]) throws -> [UInt8]) throws {
        let folder = try lock()
        let changed = try change(try read())
        do throws(Errno) {
            try System.replaceFile(path, changed, group: Self.group)
        } catch { throw cannotWrite(error) }
        _ = consume folder
    }

    /// The directory, locked until it is let go.
    private func lock() throws -> FileDescriptor {
        let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        do throws(Errno) {
            let folder = try System.open(directory, O_RDONLY | O_DIRECTORY)
            try System.flock(folder.raw, LOCK_EX)
            return folder
        } catch { throw cannotWrite(error) }
    }

    private func cannotWrite(_ error: Errno) -> ExitCode {
        Self.failure(
            "cannot write \(path): \(Errno.text(error.code))",
            fix: "run it as the owner of the file and of its directory",
            error.code == EACCES ? ExitStatus.notAllowed : ExitCode.failure)
    }

    static func failure(_ text: String, fix: String, _ code: ExitCode) -> ExitCode {
        StandardStreams.writeError("error: \(text)\n  fix:  \(fix)\n")
        return code
    }
}
