import Glibc
import Linux
import OCI

/// Files of uploads: in a directory of their own, since the shard is known only with the digest.
extension StoreLayout {
    func createUpload(_ id: UploadID) throws(Errno) -> FileDescriptor {
        try System.openat(root.raw, Self.path(id), O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
    }

    func openUpload(_ id: UploadID) throws(Errno) -> FileDescriptor {
        try System.openat(root.raw, Self.path(id), O_RDWR)
    }

    /// Removes an upload's file; harmless if it is gone.
    func unlinkUpload(_ id: UploadID) throws(Errno) {
        do throws(Errno) {
            try System.unlinkat(root.raw, Self.path(id))
        } catch {
            if !error.isMissing { throw error }
        }
    }

    /// Gives an upload whose digest is known the name of a growing file, in the shard of its blob.
    func rename(_ id: UploadID, to name: GrowingName) throws(Errno) {
        try Self.makeDirectory(root.raw, Self.shard(name.digest))
        try System.renameNoReplace(root.raw, Self.path(id), root.raw, name.path)
    }

    /// Files in the directory of uploads, and what each takes on disk; names of ours or not.
    func uploadFiles() throws(Errno) -> [(name: String, disk: Int64, writtenAt: Int64)] {
        let directory = try System.openat(root.raw, Self.uploads, O_RDONLY | O_DIRECTORY)
        var found: [(name: String, disk: Int64, writtenAt: Int64)] = []
        for name in try System.entries(of: directory.raw) {
            let status = try System.fstatat(directory.raw, name)
            found.append((name, Int64(status.st_blocks) * 512, Int64(status.st_mtim.tv_sec)))
        }
        return found
    }

    func unlinkUpload(named name: String) throws(Errno) {
        try System.unlinkat(root.raw, "\(Self.uploads)/\(name)")
    }

    private static func path(_ id: UploadID) -> String { "\(uploads)/\(id)" }
}
