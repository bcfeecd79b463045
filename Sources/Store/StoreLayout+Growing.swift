import Glibc
import Linux
import OCI

/// Growing files: in the shard directory that they will be renamed in.
///
/// Not in a directory of their own: who adds up the files of a tree (`du`) could see one there and,
/// renamed meanwhile, once more in its shard, and find the store over its limit. Of one directory
/// the names are read first.
extension StoreLayout {
    /// Makes an empty growing file, and its shard if needed.
    ///
    /// EEXIST if a leftover has the name: another one will do.
    func createGrowing(_ name: GrowingName) throws(Errno) -> FileDescriptor {
        do throws(Errno) {
            return try create(name)
        } catch {
            guard error.isMissing else { throw error }
            try Self.makeDirectory(root.raw, Self.shard(name.digest))
            return try create(name)
        }
    }

    private func create(_ name: GrowingName) throws(Errno) -> FileDescriptor {
        try System.openat(root.raw, name.path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
    }

    /// Opens a growing file of an earlier run, to go on with it after its first `usable` bytes.
    func openLeftover(
        _ name: GrowingName, usable: Int64
    ) throws(Errno) -> FileDescriptor {
        let descriptor = try System.openat(root.raw, name.path, O_RDWR)
        try System.ftruncate(descriptor.raw, usable)
        return descriptor
    }

    /// A growing file of an earlier run; nil if it is not there.
    func leftover(_ name: GrowingName) throws(Errno) -> Leftovers.Leftover? {
        do throws(Errno) {
            let status = try System.fstatat(root.raw, name.path)
            return Leftovers.Leftover(
                name: name, size: Int64(status.st_size), disk: Int64(status.st_blocks) * 512,
                writtenAt: Int64(status.st_mtim.tv_sec))
        } catch {
            if error.isMissing { return nil }
            throw error
        }
    }

    /// Removes a growing file; harmless if it is gone.
    func unlinkGrowing(_ name: GrowingName) throws(Errno) {
        do throws(Errno) {
            try System.unlinkat(root.raw, name.path)
        } catch {
            if !error.isMissing { throw error }
        }
        // It may have made its shard.
        measure(shard: Self.shard(name.digest))
    }

    /// Removes the directory that growing files were in before they lay beside the blobs; says how
    /// many there were.
    func removeFormerPartial() throws(Errno) -> Int {
        let names: [String]
        do throws(Errno) {
            let directory = try System.openat(
                root.raw, Self.formerPartial, O_RDONLY | O_DIRECTORY)
            names = try System.entries(of: directory.raw)
            for name in names { try System.unlinkat(directory.raw, name) }
        } catch {
            if error.isMissing { return 0 }
            throw error
        }
        try System.unlinkat(root.raw, Self.formerPartial, flags: AT_REMOVEDIR)
        return names.count
    }

    private static let formerPartial = "partial"

    /// Creates and removes an empty file in the root.
    func probe() throws(Errno) {
        _ = try System.openat(root.raw, Self.probe, O_RDWR | O_CREAT, mode: 0o600)
        do throws(Errno) {
            try System.unlinkat(root.raw, Self.probe)
        } catch {
            // Another probe was faster.
            if !error.isMissing { throw error }
        }
    }
}
