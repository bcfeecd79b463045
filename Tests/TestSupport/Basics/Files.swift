import Glibc

/// The few file operations that tests need.
package enum Files {
    /// Makes a directory and its parents.
    package static func makeDirectories(_ path: String) throws {
        var built = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            built += "/\(part)"
            if mkdir(built, 0o755) != 0, errno != EEXIST {
                throw failure("mkdir", built)
            }
        }
    }

    /// Makes one directory; that it is there already is fine.
    package static func makeDirectory(_ path: String, mode: UInt32) throws {
        if mkdir(path, mode) != 0, errno != EEXIST { throw failure("mkdir", path) }
    }

    /// Gives a file a second name.
    package static func link(_ path: String, _ other: String) throws {
        if Glibc.link(path, other) != 0 { throw failure("link", other) }
    }

    /// Writes a whole file, replacing what was there; parents are made.
    package static func write(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o644) throws {
        if let slash = path.lastIndex(of: "/") { try makeDirectories(String(path[..<slash])) }
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw failure("open", path) }
        defer { Glibc.close(descriptor) }
        try bytes.withUnsafeBytes { try writeAll(descriptor, $0, path) }
    }

    /// Writes content of any size piece by piece.
    package static func write(_ path: String, _ content: TestContent) throws {
        if let slash = path.lastIndex(of: "/") { try makeDirectories(String(path[..<slash])) }
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure("open", path) }
        defer { Glibc.close(descriptor) }
        try content.forEachPiece(in: 0..<content.size) { try writeAll(descriptor, $0, path) }
    }

    /// Reads a whole file.
    package static func read(_ path: String) throws -> [UInt8] {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", path) }
        defer { Glibc.close(descriptor) }
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("read", path) }
            if count == 0 { return result }
            result.append(contentsOf: buffer[..<count])
        }
    }

    /// Reads a whole text file.
    package static func text(_ path: String) throws -> String {
        String(decoding: try read(path), as: UTF8.self)
    }

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    package static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// The names in a directory, sorted; empty if it cannot be read.
    package static func names(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Removes a file or a whole tree; what is already gone is fine.
    package static func removeTree(_ path: String) {
        for entry in walk(path).reversed() {
            if entry.isDirectory { rmdir(entry.path) } else { unlink(entry.path) }
        }
    }

    /// What `walk` tells of one file or directory.
    package struct Entry: Sendable {
        package let path: String
        package let isDirectory: Bool
        package let size: Int64
        /// Bytes on disk: `st_blocks` times 512, as `du` counts.
        package let diskBytes: Int64
        /// The same for all names of one file.
        package let inode: UInt64
    }

    /// The tree at `path`, parents before children; what vanishes meanwhile is left out.
    package static func walk(_ path: String) -> [Entry] {
        var status = stat()
        guard lstat(path, &status) == 0 else { return [] }
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        var result = [
            Entry(
                path: path, isDirectory: isDirectory, size: Int64(status.st_size),
                diskBytes: Int64(status.st_blocks) * 512, inode: UInt64(status.st_ino))
        ]
        guard isDirectory else { return result }
        for name in names(path) { result += walk("\(path)/\(name)") }
        return result
    }

    /// Bytes that a tree takes on disk, a file with several names counted once.
    package static func diskUsage(_ path: String) -> Int64 {
        var seen: Set<UInt64> = []
        return walk(path).reduce(0) { seen.insert($1.inode).inserted ? $0 + $1.diskBytes : $0 }
    }

    private static func writeAll(
        _ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, _ path: String
    ) throws {
        var offset = 0
        while offset < bytes.count {
            let count = Glibc.write(
                descriptor, bytes.baseAddress?.advanced(by: offset), bytes.count - offset)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("write", path) }
            offset += count
        }
    }

    private static func failure(_ call: String, _ path: String) -> TestFailure {
        TestFailure("\(call) \(path): \(String(cString: strerror(errno)))")
    }
}
