import CLinux

extension System {
    /// `FALLOC_FL_KEEP_SIZE`, which Glibc's module does not show.
    private static let keepSize: Int32 = 1

    /// Makes the file system set aside `length` bytes for `fd` without changing its size.
    ///
    /// Throws ENOSPC when there is no room, EOPNOTSUPP where the file system cannot do that.
    package static func preallocate(_ fd: Int32, _ length: Int64) throws(Errno) {
        try call32("fallocate") { clinux_fallocate(fd, keepSize, 0, length) }
    }
}
