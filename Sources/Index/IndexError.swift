package import Linux

/// Why the index could not do what it was asked.
package enum IndexError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The database is damaged; if the next start still finds it so it is set aside (DUR-4).
    case corrupt(String)
    /// The disk has no room for what was to be written; nothing was changed.
    case full
    /// The database was written by a newer Cistern.
    case newerSchema(found: Int64, known: Int64)
    /// A manifest names more children than one transaction may write.
    case tooManyChildren(Int)
    /// A file next to the database could not be made or moved.
    case io(Errno)
    /// Anything else SQLite says, with its extended result code.
    case sqlite(code: Int32, message: String)
    /// The index was closed.
    case closed

    /// Whether the files may not hold what they should: damage, or a sync that failed, after which
    /// nobody knows what is on the disk (DUR-2).
    var makesSuspect: Bool {
        switch self {
        case .corrupt: true
        case .sqlite(let code, _): code == Self.syncFailed
        default: false
        }
    }

    /// `SQLITE_IOERR_FSYNC`, which its module does not show.
    private static let syncFailed: Int32 = 10 | 4 << 8

    package var description: String {
        switch self {
        case .corrupt(let message): "index is damaged: \(message)"
        case .full: "no room for the index"
        case .newerSchema(let found, let known):
            "index has schema \(found), this version knows \(known)"
        case .tooManyChildren(let count): "manifest has \(count) children"
        case .io(let error): "index: \(error)"
        case .sqlite(let code, let message): "index: \(message) (\(code))"
        case .closed: "index is closed"
        }
    }
}
