import CLinux
package import Glibc

/// The one gate to the kernel: EINTR is repeated, errno is taken at once.
package enum System {
    /// Repeats `body` while it is interrupted; throws what it fails with.
    @discardableResult
    static func call(_ name: String, _ body: () -> Int) throws(Errno) -> Int {
        while true {
            let result = body()
            if result >= 0 { return result }
            let error = Errno.last(name)
            if error.code != EINTR { throw error }
        }
    }

    @discardableResult
    static func call32(_ name: String, _ body: () -> Int32) throws(Errno) -> Int32 {
        while true {
            let result = body()
            if result >= 0 { return result }
            let error = Errno.last(name)
            if error.code != EINTR { throw error }
        }
    }

    // MARK: - Files

    /// Opens `path` below `directory`; close-on-exec and no symbolic link followed are implied.
    package static func openat(
        _ directory: Int32, _ path: String, _ flags: Int32, mode: UInt32 = 0o600
    ) throws(Errno) -> FileDescriptor {
        let raw = try call32("openat") {
            Glibc.openat(directory, path, flags | O_CLOEXEC | O_NOFOLLOW, mode)
        }
        return FileDescriptor(owning: raw)
    }

    /// Opens `path` as given: configuration files and the store's root.
    package static func open(
        _ path: String, _ flags: Int32, mode: UInt32 = 0o600
    ) throws(Errno) -> FileDescriptor {
        let raw = try call32("open") { Glibc.open(path, flags | O_CLOEXEC, mode) }
        return FileDescriptor(owning: raw)
    }

    /// Opens a file below `directory` only if no disk has to be waited for, else throws EAGAIN.
    package static func openCached(
        _ directory: Int32, _ path: String
    ) throws(Errno) -> FileDescriptor {
        let raw = try call32("openat2") { clinux_open_cached(directory, path) }
        return FileDescriptor(owning: raw)
    }

    package static func read(
        _ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        try call("read") { Glibc.read(fd, buffer.baseAddress, buffer.count) }
    }

    package static func write(
        _ fd: Int32, _ buffer: UnsafeRawBufferPointer
    ) throws(Errno) -> Int {
        try call("write") { Glibc.write(fd, buffer.baseAddress, buffer.count) }
    }

    package static func pread(
        _ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int64
    ) throws(Errno) -> Int {
        try call("pread") { Glibc.pread(fd, buffer.baseAddress, buffer.count, off_t(offset)) }
    }

    /// Writes the whole buffer at `offset`, however many calls that takes.
    package static func pwriteAll(
        _ fd: Int32, _ buffer: UnsafeRawBufferPointer, at offset: Int64
    ) throws(Errno) {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeRawBufferPointer(rebasing: buffer[done...])
            let count = try call("pwrite") {
                Glibc.pwrite(fd, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
            }
            if count == 0 { throw Errno(EIO, "pwrite") }
            done += count
        }
    }

    package static func fdatasync(_ fd: Int32) throws(Errno) {
        try call32("fdatasync") { Glibc.fdatasync(fd) }
    }

    package static func fsync(_ fd: Int32) throws(Errno) {
        try call32("fsync") { Glibc.fsync(fd) }
    }

    package static func fstat(_ fd: Int32) throws(Errno) -> stat {
        var status = stat()
        try call32("fstat") { Glibc.fstat(fd, &status) }
        return status
    }

    package static func fstatat(_ directory: Int32, _ path: String) throws(Errno) -> stat {
        var status = stat()
        try call32("fstatat") {
            Glibc.fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW)
        }
        return status
    }

    package static func fstatvfs(_ fd: Int32) throws(Errno) -> statvfs {
        var status = statvfs()
        try call32("fstatvfs") { Glibc.fstatvfs(fd, &status) }
        return status
    }

    package static func mkdirat(
        _ directory: Int32, _ path: String, mode: UInt32 = 0o700
    ) throws(Errno) {
        try call32("mkdirat") { Glibc.mkdirat(directory, path, mode) }
    }

    package static func unlinkat(
        _ directory: Int32, _ path: String, flags: Int32 = 0
    ) throws(Errno) {
        try call32("unlinkat") { Glibc.unlinkat(directory, path, flags) }
    }

    /// Renames without ever replacing: EEXIST when the target is there.
    package static func renameNoReplace(
        _ fromDirectory: Int32, _ from: String, _ toDirectory: Int32, _ to: String
    ) throws(Errno) {
        try call32("renameat2") {
            clinux_rename_noreplace(fromDirectory, from, toDirectory, to)
        }
    }

    package static func renameat(
        _ fromDirectory: Int32, _ from: String, _ toDirectory: Int32, _ to: String
    ) throws(Errno) {
        try call32("renameat") { Glibc.renameat(fromDirectory, from, toDirectory, to) }
    }

    package static func ftruncate(_ fd: Int32, _ length: Int64) throws(Errno) {
        try call32("ftruncate") { Glibc.ftruncate(fd, off_t(length)) }
    }

    package static func flock(_ fd: Int32, _ operation: Int32) throws(Errno) {
        try call32("flock") { clinux_flock(fd, operation) }
    }

    package static func fchmod(_ fd: Int32, _ mode: UInt32) throws(Errno) {
        try call32("fchmod") { Glibc.fchmod(fd, mode) }
    }

    /// Removes `name` and, of a directory, what is in it, at most `depth` levels; done if there is
    /// nothing.
    package static func removeTree(
        _ directory: Int32, _ name: String, depth: Int = 8
    ) throws(Errno) {
        do throws(Errno) {
            return try unlinkat(directory, name)
        } catch {
            if error.code == ENOENT { return }
            guard error.code == EISDIR, depth > 0 else { throw error }
        }
        let inner = try openat(directory, name, O_RDONLY | O_DIRECTORY)
        for entry in try entries(of: inner.raw) {
            try removeTree(inner.raw, entry, depth: depth - 1)
        }
        try unlinkat(directory, name, flags: AT_REMOVEDIR)
    }

    /// Names in the directory `fd`, without `.` and `..`; the descriptor stays the caller's.
    package static func entries(of fd: Int32) throws(Errno) -> [String] {
        let copy = try openat(fd, ".", O_RDONLY | O_DIRECTORY)
        guard let directory = fdopendir(copy.release()) else { throw Errno.last("fdopendir") }
        defer { closedir(directory) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else {
                if errno != 0 { throw Errno.last("readdir") }
                return names
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }
}
