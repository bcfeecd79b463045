import Glibc
import Linux

/// The database's files on disk: made private, measured, set aside when damaged.
package struct IndexFiles: Sendable {
    /// The largest share of the store that log and transaction may take; small stores give less.
    package static let allowanceMax: Int64 = 16 << 20
    package static let allowanceMin: Int64 = 1 << 20

    /// A quarter for the log, three quarters for the largest transaction (`childrenMax` rows, each
    /// touching three pages at worst).
    private let allowance: Int64
    let directory: String

    init(directory: String, allowance: Int64) throws(IndexError) {
        // SQLite is told to follow no symbolic link, so the directory's own are resolved here.
        guard let resolved = realpath(directory, nil) else {
            throw IndexError.io(Errno.last("realpath"))
        }
        defer { free(resolved) }
        self.directory = String(cString: resolved)
        self.allowance = min(max(allowance, Self.allowanceMin), Self.allowanceMax)
    }

    var path: String { "\(directory)/\(ContentIndex.fileName)" }

    /// How long the write-ahead log may get before it is moved into the database.
    var logLimit: Int64 { allowance / 4 }

    /// Makes an empty database file that only the service user can read (LOC-1).
    ///
    /// SQLite gives the log and the shared memory the same mode.
    func create() throws(IndexError) {
        do throws(Errno) {
            _ = try System.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        } catch {
            throw IndexError.io(error)
        }
    }

    /// Disk taken by the write-ahead log now.
    var logBytes: Int64 { Self.disk(path + "-wal") }

    /// Moves the write-ahead log into the database if it is long.
    func keepLogShort(_ writer: Connection) throws(IndexError) {
        if logBytes > logLimit { try writer.checkpoint() }
    }

    func footprint(pages: Int64) -> Int64 {
        let database = max(pages * Schema.pageBytes, Self.disk(path))
        let memory = max(Self.disk(path + "-shm"), 32 << 10)
        return database + memory + max(logBytes, logLimit) + (allowance - logLimit)
    }

    private static func disk(_ path: String) -> Int64 {
        guard let status = try? System.fstatat(AT_FDCWD, path) else { return 0 }
        return Int64(status.st_blocks) * 512
    }

    // MARK: - Damage (DUR-4)

    private var suspectMark: String { path + ".suspect" }

    /// Leaves a mark that damage was found; the next open looks at the whole database.
    func markSuspect() {
        // Without the mark the damage is found again: nothing is lost but time.
        _ = try? System.open(suspectMark, O_WRONLY | O_CREAT | O_NOFOLLOW, mode: 0o600)
    }

    var isSuspect: Bool { (try? System.fstatat(AT_FDCWD, suspectMark)) != nil }

    func clearSuspicion() {
        // A mark that stays costs the next start a look.
        try? System.unlinkat(AT_FDCWD, suspectMark)
    }

    /// Renames the database to `index.db.corrupt-<n>` and drops its log; an older one goes.
    func setAside() throws(IndexError) -> String {
        do throws(Errno) {
            let root = try System.open(directory, O_RDONLY | O_DIRECTORY)
            let prefix = ContentIndex.fileName + ".corrupt-"
            var number = 0
            for name in try System.entries(of: root.raw) where name.hasPrefix(prefix) {
                number = max(number, Int(name.dropFirst(prefix.count)) ?? 0)
                try System.unlinkat(root.raw, name)
            }
            let target = "\(prefix)\(number + 1)"
            try System.renameat(root.raw, ContentIndex.fileName, root.raw, target)
            for suffix in ["-wal", "-shm", ".suspect"] {
                // Usually not there: then there is nothing to remove.
                try? System.unlinkat(root.raw, ContentIndex.fileName + suffix)
            }
            return target
        } catch {
            throw IndexError.io(error)
        }
    }
}
