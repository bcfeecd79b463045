package import Glibc

/// Small files that people edit, by their paths as given: passwords, tokens.
extension System {
    /// What a path leads to, symbolic links followed.
    package static func status(_ path: String) throws(Errno) -> stat {
        var status = stat()
        try call32("stat") { Glibc.fstatat(AT_FDCWD, path, &status, 0) }
        return status
    }

    /// Reads to the end; what is beyond `bytesMax` is an EFBIG.
    package static func readAll(_ fd: Int32, bytesMax: Int) throws(Errno) -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 8)
        defer { buffer.deallocate() }
        var bytes: [UInt8] = []
        while true {
            let count = try read(fd, buffer)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= bytesMax else { throw Errno(EFBIG, "read") }
        }
    }

    /// Writes all of `text` where the descriptor stands.
    package static func writeAll(_ fd: Int32, _ text: String) throws(Errno) {
        let bytes = Array(text.utf8)
        try bytes.withUnsafeBufferPointer { (buffer) throws(Errno) in
            let raw = UnsafeRawBufferPointer(buffer)
            var written = 0
            while written < raw.count {
                written += try write(fd, UnsafeRawBufferPointer(rebasing: raw[written...]))
            }
        }
    }

    /// Puts `bytes` in a file's place so that whoever reads it sees the old or the new, whole.
    ///
    /// Owner and mode stay, but that only a group may read besides. A new one is its owner's alone;
    /// of those that root makes, the directory's owner, or else `group`, may read it too.
    package static func replaceFile(
        _ path: String, _ bytes: [UInt8], group: String? = nil
    ) throws(Errno) {
        let old = try? status(path)
        let name = path.split(separator: "/").last.map(String.init) ?? path
        let directory =
            path.hasPrefix("/") && path.dropLast(name.count) == "/"
            ? "/" : String(path.dropLast(name.count + 1))
        let folder = try open(directory.isEmpty ? "." : directory, O_RDONLY | O_DIRECTORY)
        let temporary = ".\(name).new"
        try? unlinkat(folder.raw, temporary)
        let file = try openat(folder.raw, temporary, O_WRONLY | O_CREAT | O_EXCL)
        do throws(Errno) {
            try bytes.withUnsafeBufferPointer { (raw) throws(Errno) in
                try pwriteAll(file.raw, UnsafeRawBufferPointer(raw), at: 0)
            }
            if let old {
                try fchmod(file.raw, UInt32(old.st_mode) & 0o640)
                // Without the right to give files away they stay with who edits them.
                _ = Glibc.fchown(file.raw, old.st_uid, old.st_gid)
            } else if geteuid() == 0 {
                try giveAway(file.raw, in: try fstat(folder.raw), group)
            }
            try fsync(file.raw)
            try renameat(folder.raw, temporary, folder.raw, name)
            try fsync(folder.raw)
        } catch {
            try? unlinkat(folder.raw, temporary)
            throw error
        }
    }

    private static func giveAway(
        _ fd: Int32, in directory: stat, _ group: String?
    ) throws(Errno) {
        if directory.st_uid != 0 {
            try call32("fchown") { Glibc.fchown(fd, directory.st_uid, directory.st_gid) }
        } else if let group, let entry = getgrnam(group) {
            try call32("fchown") { Glibc.fchown(fd, 0, entry.pointee.gr_gid) }
            try fchmod(fd, 0o640)
        }
    }
}
