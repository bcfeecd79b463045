package import Glibc

/// What a file looks like from outside: as long as all of it stays, nobody has written to it.
///
/// The change time is the kernel's own, so that a modification time that was put back hides
/// nothing.
package struct FileIdentity: Hashable, Sendable {
    /// In bytes.
    package let size: Int64
    private let device: UInt64
    private let inode: UInt64
    private let modified: Int64
    private let changed: Int64

    package init(_ status: stat) {
        size = Int64(status.st_size)
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        modified = Self.nanoseconds(status.st_mtim)
        changed = Self.nanoseconds(status.st_ctim)
    }

    /// Whether `other` is the same file, changed or not.
    package func isSameFile(as other: FileIdentity) -> Bool {
        device == other.device && inode == other.inode
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
