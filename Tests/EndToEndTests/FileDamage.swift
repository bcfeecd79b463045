import Glibc
import TestSupport

/// One thing that can happen to a stored file.
enum FileDamage: CaseIterable {
    case flipFirst, flipMiddle, flipLast, flipAnywhere, zeroPage
    case truncate, empty, extend, remove, directory, symlink, pipe, unreadable

    /// Whether the daemon can still read the right bytes, as root can whatever the mode.
    var isHarmless: Bool { self == .unreadable && geteuid() == 0 }

    /// Does it to the file at `path`, and puts the modification time back where there is one.
    func happen(to path: String, _ generator: inout SeededGenerator) throws {
        var before = stat()
        guard lstat(path, &before) == 0 else { throw TestFailure("not stored: \(path)") }
        let size = Int64(before.st_size)
        switch self {
        case .flipFirst: try flip(path, 0)
        case .flipMiddle: try flip(path, size / 2)
        case .flipLast: try flip(path, size - 1)
        case .flipAnywhere: try flip(path, Int64.random(in: 0..<size, using: &generator))
        case .zeroPage: try overwrite(path, Int64.random(in: 0..<size, using: &generator))
        case .truncate:
            try check("truncate", path, Glibc.truncate(path, Int.random(in: 0..<Int(size))))
        case .empty: try check("truncate", path, Glibc.truncate(path, 0))
        case .extend: try check("truncate", path, Glibc.truncate(path, Int(size) + 1))
        case .remove: try check("unlink", path, unlink(path))
        case .directory:
            try check("unlink", path, unlink(path))
            try Files.write("\(path)/in/it", [1, 2, 3])
        case .symlink:
            let copy = "\(path).elsewhere"
            let outside = "\(path.split(separator: "/blobs/", maxSplits: 1)[0])-\(copy.hashValue)"
            try check("rename", path, rename(path, outside))
            try check("symlink", path, Glibc.symlink(outside, path))
            return
        case .pipe:
            try check("unlink", path, unlink(path))
            try check("mkfifo", path, mkfifo(path, 0o600))
        case .unreadable: try check("chmod", path, chmod(path, 0))
        }
        let times = [before.st_atim, before.st_mtim]
        _ = utimensat(AT_FDCWD, path, times, 0)
    }

    private func flip(_ path: String, _ offset: Int64) throws {
        try change(path, offset) { [$0[0] ^ 0x10] }
    }

    /// What a block that never reached the disk looks like; flips a bit where it was zero anyway.
    private func overwrite(_ path: String, _ offset: Int64) throws {
        try change(path, offset / 4096 * 4096) { bytes in
            bytes.allSatisfy { $0 == 0 } ? [1] : [UInt8](repeating: 0, count: bytes.count)
        }
    }

    private func change(
        _ path: String, _ offset: Int64, _ body: ([UInt8]) -> [UInt8]
    ) throws {
        let file = open(path, O_RDWR | O_CLOEXEC)
        try check("open", path, file)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = pread(file, &bytes, bytes.count, Int(offset))
        guard count > 0 else { throw TestFailure("pread \(path) at \(offset)") }
        let changed = body(Array(bytes[..<count]))
        guard pwrite(file, changed, changed.count, Int(offset)) == changed.count else {
            throw TestFailure("pwrite \(path)")
        }
    }

    private func check(_ call: String, _ path: String, _ result: Int32) throws {
        if result < 0 { throw TestFailure("\(call) \(path): \(String(cString: strerror(errno)))") }
    }
}
