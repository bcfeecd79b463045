import Glibc
import Index
import Linux
import OCI
import Synchronization

/// Where everything lies below the store's root; the only type that makes paths.
///
/// ```
/// <root>/                      0700, held open; everything is opened beneath it (LOC-2)
///   lock                       flock: one instance per store (DUR-8)
///   index.db, -wal, -shm       see ContentIndex
///   blobs/sha256/ab/<hex>.<n>  growing, renamed in place when verified
///   blobs/sha256/ab/<hex>      complete, verified, never modified
///   blobs/sha512/ab/<hex>
///   uploads/<id>               pushed so far, of a digest that is told at the end
/// ```
///
/// All of it blocks: for workers and for the start only, except `openCached`.
final class StoreLayout: Sendable {
    static let lock = "lock"
    static let probe = "probe"
    static let uploads = "uploads"

    let path: String
    let root: FileDescriptor
    /// Held until `unlock()`; when the process dies the kernel lets go of it.
    private let lockFile: FileDescriptor
    private let counter = Atomic<UInt64>(0)
    private let directories: Mutex<Directories>
    /// Whether the root could be read by others and was closed to them (LOC-1).
    let permissionsFixed: Bool

    private struct Directories {
        var disk: [String: Int64] = [:]
        var total: Int64 = 0
        /// Shards whose entry in the parent is known to be on disk.
        var synced: Set<String> = []

        mutating func note(_ path: String, _ bytes: Int64) {
            total += bytes - (disk.updateValue(bytes, forKey: path) ?? 0)
        }
    }

    /// Makes what is missing and takes the lock.
    init(path: String) throws(StoreError) {
        do throws(Errno) {
            try Self.makeRoot(path)
            let root = try System.open(path, O_RDONLY | O_DIRECTORY)
            let status = try System.fstat(root.raw)
            permissionsFixed = status.st_mode & 0o077 != 0
            if permissionsFixed { try System.fchmod(root.raw, 0o700) }
            lockFile = try System.openat(root.raw, Self.lock, O_RDWR | O_CREAT)
            self.root = root
        } catch {
            throw StoreError(error)
        }
        self.path = path
        do throws(Errno) {
            try System.flock(lockFile.raw, LOCK_EX | LOCK_NB)
        } catch {
            throw error.wouldBlock ? StoreError.locked(path: path) : StoreError(error)
        }
        do throws(Errno) {
            for name in ["blobs", "blobs/sha256", "blobs/sha512", Self.uploads] {
                try Self.makeDirectory(root.raw, name)
            }
            try System.fsync(root.raw)
            // A shard that lasts in a directory that does not is lost with it.
            let blobs = try System.openat(root.raw, "blobs", O_RDONLY | O_DIRECTORY)
            try System.fsync(blobs.raw)
        } catch {
            throw StoreError(error)
        }
        directories = Mutex(Directories())
    }

    /// Makes the root and its parents; their entries are on disk afterwards (DUR-1).
    private static func makeRoot(_ path: String) throws(Errno) {
        var parent = path.hasPrefix("/") ? "/" : "."
        let parts = path.split(separator: "/")
        for (index, part) in parts.enumerated() {
            let next = parent.hasSuffix("/") ? "\(parent)\(part)" : "\(parent)/\(part)"
            let isMade = try makeDirectory(AT_FDCWD, next)
            // The root's own: perhaps made by a run that crashed before it could sync.
            if isMade || index == parts.count - 1 { try sync(parent) }
            parent = next
        }
    }

    private static func sync(_ directory: String) throws(Errno) {
        let descriptor: FileDescriptor
        do throws(Errno) {
            descriptor = try System.open(directory, O_RDONLY | O_DIRECTORY)
        } catch {
            // Somebody else's, who made the root for us and answers for its entry.
            if error.code == EACCES { return }
            throw error
        }
        try System.fsync(descriptor.raw)
    }

    @discardableResult
    static func makeDirectory(
        _ directory: Int32, _ path: String
    ) throws(Errno) -> Bool {
        do throws(Errno) {
            try System.mkdirat(directory, path)
            return true
        } catch {
            // A parent may be there and not be ours to make: what matters is that it is there.
            if error.code == EEXIST { return false }
            if (try? System.fstatat(directory, path)) != nil { return false }
            throw error
        }
    }

    // The descriptor's end would not do: a child that is just being started has a copy.
    deinit { unlock() }

    /// Lets another instance have the store (DUR-8).
    func unlock() {
        try? System.flock(lockFile.raw, LOCK_UN)
    }

    // MARK: - Paths

    static func shard(_ digest: Digest) -> String {
        shard(digest.algorithm, digest.withBytes { $0[0] })
    }

    static func shard(_ algorithm: Digest.Algorithm, _ first: UInt8) -> String {
        let digits = String(first, radix: 16)
        return "blobs/\(algorithm.name)/\(digits.count == 1 ? "0" : "")\(digits)"
    }

    /// Always `shard` and the hash's digits, written at once: hits make one each.
    static func path(_ digest: Digest) -> String { digest.path(behind: "blobs/") }

    /// A number that names nothing else in this run.
    func nextNumber() -> UInt64 { counter.wrappingAdd(1, ordering: .relaxed).newValue }

    // MARK: - Complete files

    /// Opens a complete file without waiting for a disk, else throws EAGAIN; for loops.
    func openCached(_ digest: Digest) throws(Errno) -> FileDescriptor {
        try System.openCached(root.raw, Self.path(digest))
    }

    /// Never waits for a writer of what may be a pipe.
    func open(_ digest: Digest) throws(Errno) -> FileDescriptor {
        try System.openat(root.raw, Self.path(digest), O_RDONLY | O_NONBLOCK)
    }

    /// The first `count` bytes of a complete file, fewer if it is shorter.
    func read(_ digest: Digest, count: Int) throws(Errno) -> [UInt8] {
        let file = try open(digest)
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let result = bytes.withUnsafeMutableBytes { buffer in
                Result { () throws(Errno) in
                    try System.pread(
                        file.raw, UnsafeMutableRawBufferPointer(rebasing: buffer[done...]),
                        at: Int64(done))
                }
            }
            let read = try result.get()
            if read == 0 { break }
            done += read
        }
        return Array(bytes[..<done])
    }

    /// Status of a complete file; ENOENT if it is not there.
    func status(_ digest: Digest) throws(Errno) -> stat {
        try System.fstatat(root.raw, Self.path(digest))
    }

    func unlink(_ digest: Digest) throws(Errno) {
        try System.unlinkat(root.raw, Self.path(digest))
    }

    /// Removes whatever stands in the place of a complete file; done if there is nothing.
    func clear(_ digest: Digest) throws(Errno) {
        let shard: FileDescriptor
        do throws(Errno) {
            shard = try System.openat(root.raw, Self.shard(digest), O_RDONLY | O_DIRECTORY)
        } catch {
            if error.isMissing { return }
            throw error
        }
        try System.removeTree(shard.raw, digest.hex)
    }

    /// Removes a file of a shard whose name is no digest's.
    func unlink(_ name: String, shard: String) throws(Errno) {
        try System.unlinkat(root.raw, "\(shard)/\(name)")
    }

    /// Moves a verified and synced growing file to its place and syncs the directory (DUR-1).
    ///
    /// Nil, and nothing moved, if a file of size `known` is there already: the one the index
    /// knows. Any other that is in the way is a leftover that nobody verified, and is replaced.
    func publish(_ name: GrowingName, known: Int64?) throws(Errno) -> FileIdentity? {
        let digest = name.digest
        let shard = Self.shard(digest)
        let directory = try openShard(shard)
        let from = name.description
        do throws(Errno) {
            try System.renameNoReplace(directory.raw, from, directory.raw, digest.hex)
        } catch {
            guard error.code == EEXIST else { throw error }
            let there = try System.fstatat(directory.raw, digest.hex)
            if Int64(there.st_size) == known { return nil }
            try System.renameat(directory.raw, from, directory.raw, digest.hex)
        }
        let identity: FileIdentity
        do throws(Errno) {
            // Before anything that takes time: what is changed from now on is not what we wrote.
            identity = FileIdentity(try System.fstatat(directory.raw, digest.hex))
            try System.fsync(directory.raw)
        } catch {
            // Not certain to survive: it must not be there at all (DUR-2).
            try System.unlinkat(directory.raw, digest.hex)
            throw error
        }
        measure(shard, directory.raw)
        return identity
    }

    /// Opens a shard directory, made if needed; its entry in the parent is on disk afterwards.
    private func openShard(_ shard: String) throws(Errno) -> FileDescriptor {
        try Self.makeDirectory(root.raw, shard)
        if !directories.withLock({ $0.synced.contains(shard) }) {
            // Made by this process or by one that crashed before it could sync: once either way.
            let parent = String(shard.dropLast(3))
            let descriptor = try System.openat(root.raw, parent, O_RDONLY | O_DIRECTORY)
            try System.fsync(descriptor.raw)
            measure(parent, descriptor.raw)
            directories.withLock { _ = $0.synced.insert(shard) }
        }
        return try System.openat(root.raw, shard, O_RDONLY | O_DIRECTORY)
    }

    /// Names in a shard; empty if there is no such shard.
    func names(inShard shard: String) throws(Errno) -> [String] {
        do throws(Errno) {
            let directory = try System.openat(root.raw, shard, O_RDONLY | O_DIRECTORY)
            measure(shard, directory.raw)
            return try System.entries(of: directory.raw)
        } catch {
            if error.code == ENOENT { return [] }
            throw error
        }
    }

    // MARK: - Disk

    /// What all directories take, in bytes; they never shrink, so each is measured when it changed.
    var directoryBytes: Int64 { directories.withLock { $0.total } }

    private func measure(_ path: String, _ fd: Int32) {
        guard let status = try? System.fstat(fd) else { return }
        directories.withLock { $0.note(path, Int64(status.st_blocks) * 512) }
    }

    func measure(shard: String) {
        guard let status = try? System.fstatat(root.raw, shard) else { return }
        directories.withLock { $0.note(shard, Int64(status.st_blocks) * 512) }
    }

    /// Measures every directory, and what else lies in the root; gives the latter's sum.
    func measureAll() throws(Errno) -> Int64 {
        measure(".", root.raw)
        for name in ["blobs", "blobs/sha256", "blobs/sha512", Self.uploads] {
            let directory = try System.openat(root.raw, name, O_RDONLY | O_DIRECTORY)
            measure(name, directory.raw)
            guard name.hasPrefix("blobs/") else { continue }
            for shard in try System.entries(of: directory.raw) {
                let status = try System.fstatat(directory.raw, shard)
                directories.withLock {
                    $0.note("\(name)/\(shard)", Int64(status.st_blocks) * 512)
                }
            }
        }
        let own: Set = [Self.lock, Self.probe, "blobs", Self.uploads]
        var others: Int64 = 0
        for name in try System.entries(of: root.raw)
        where !own.contains(name) && !ContentIndex.fileNames.contains(name) {
            others += Int64(try System.fstatat(root.raw, name).st_blocks) * 512
        }
        return others
    }

    /// Size of the file system and what is left of it for this user, in bytes.
    func fileSystem() throws(Errno) -> (total: Int64, available: Int64) {
        let status = try System.fstatvfs(root.raw)
        let unit = Int64(status.f_frsize)
        // A file system that claims to be endless must not overflow the sums made with it.
        return (
            min(Int64(clamping: status.f_blocks).multipliedClamping(by: unit), Self.sizeMax),
            min(Int64(clamping: status.f_bavail).multipliedClamping(by: unit), Self.sizeMax)
        )
    }

    private static let sizeMax: Int64 = 1 << 60
}

extension Int64 {
    fileprivate func multipliedClamping(by factor: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? .max : product
    }
}
