package import Linux
package import OCI

/// What happens inside the store that a log line or a counter should tell.
package enum StoreEvent: Sendable {
    /// A damaged index was renamed to `name` and an empty one begun (DUR-4).
    case indexSetAside(name: String)
    /// The index is damaged; the next start begins a new one (DUR-4).
    case indexDamaged
    /// The root could be read by others; that was put right (LOC-1).
    case permissionsFixed
    /// Growing files of an earlier run that are of no use were removed (DUR-5).
    case sweptPartial(files: Int)
    /// Growing files of an earlier run are kept for the next fetch to go on with.
    case keptPartial(files: Int, bytes: Int64)
    /// Images were evicted; `idleSeconds` is how long the newest of them had gone unused.
    case evicted(objects: Int, bytes: Int64, idleSeconds: Int64)
    /// A file that the index knew is not what was stored and is forgotten (INT-9, INT-10).
    case damaged(Digest, Damage)
    /// Bytes did not hash to their digest and were dropped (INT-1).
    case mismatch(Digest)
    /// A whole file that the index did not know was verified and taken in.
    case adopted(Digest)
    /// A file that the index did not know was removed.
    case removedStray(name: String)
    /// A system call failed and cost one object.
    case failed(Errno)
}

/// How a stored file was found not to be what was stored.
package enum Damage: String, Error, CaseIterable, Sendable {
    /// Its bytes hash to something else.
    case content
    /// It is not there.
    case missing
    /// It is longer or shorter.
    case size
    /// It cannot be opened or read, or is no file.
    case unreadable
}

/// The store at one moment, for metrics and status lines.
package struct StoreStatistics: Sendable, Equatable {
    /// What the store counts as its own, in bytes; `du` of the root is never more.
    package var usedBytes: Int64
    /// The limit in force, in bytes.
    package var limitBytes: Int64
    /// Set aside for what is being written, in bytes.
    package var reservedBytes: Int64
    /// Free for the store's user on the file system when last looked at, in bytes.
    package var freeBytes: Int64
    package var blobs: Int
    package var manifests: Int
    package var openFiles: Int
}
