import CLinux
import Glibc

extension System {
    /// Distance between two probes: smaller than any read-ahead window that matters.
    private static let probeStride: Int64 = 128 << 10

    /// Whether the pages of `offset..<end` are in memory, so that sendfile will not wait for a
    /// disk.
    ///
    /// One byte is read per 128 KiB without waiting (prototypes: free when warm). A file system
    /// that cannot tell counts as resident.
    package static func isResident(_ fd: Int32, _ offset: Int64, _ end: Int64) -> Bool {
        var position = offset
        while position < end {
            if !probe(fd, position) { return false }
            position += probeStride
        }
        return end <= offset || probe(fd, end - 1)
    }

    private static func probe(_ fd: Int32, _ offset: Int64) -> Bool {
        if clinux_probe_resident(fd, offset) >= 0 { return true }
        return errno != EAGAIN
    }

    /// Brings `offset..<end` into memory without copying; blocks, so for workers only.
    package static func warm(_ fd: Int32, _ offset: Int64, _ end: Int64) {
        posix_fadvise(fd, off_t(offset), off_t(end - offset), POSIX_FADV_WILLNEED)
        let sink = Glibc.open("/dev/null", O_WRONLY | O_CLOEXEC)
        guard sink >= 0 else { return }
        defer { close(sink) }
        var position = off_t(offset)
        while position < off_t(end) {
            let count = Glibc.sendfile(sink, fd, &position, Int(off_t(end) - position))
            if count <= 0 && errno != EINTR { return }
        }
    }

    /// Lets the kernel drop clean pages of `offset..<end` from memory.
    package static func forget(_ fd: Int32, _ offset: Int64, _ end: Int64) {
        posix_fadvise(fd, off_t(offset), off_t(end - offset), POSIX_FADV_DONTNEED)
    }
}
