import Glibc

/// A directory that is removed, with all in it, when its last owner lets go.
package final class TemporaryDirectory: Sendable {
    package let path: String

    /// Makes `cistern-test-XXXXXX` under `$CISTERN_TEST_TMPDIR`, `$TMPDIR` or `/tmp`.
    package convenience init() throws {
        try self.init(
            below: environment("CISTERN_TEST_TMPDIR") ?? environment("TMPDIR") ?? "/tmp")
    }

    private init(below base: String) throws {
        var template = Array("\(base)/cistern-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw TestFailure("mkdtemp in \(base): \(String(cString: strerror(errno)))")
        }
        path = template.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { String(cString: $0) } ?? ""
        }
    }

    /// One in memory where there is a place for that, for many small files that need not last.
    package static func inMemory() throws -> TemporaryDirectory {
        let memory = "/dev/shm"
        guard environment("CISTERN_TEST_TMPDIR") == nil, access(memory, W_OK) == 0 else {
            return try TemporaryDirectory()
        }
        return try TemporaryDirectory(below: memory)
    }

    deinit { Files.removeTree(path) }

    /// The path of a name below this directory.
    package func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Makes a directory below this one, parents included, and gives its path.
    package func directory(_ name: String) throws -> String {
        let full = file(name)
        try Files.makeDirectories(full)
        return full
    }

    /// Writes a text file below this directory and gives its path.
    @discardableResult
    package func write(_ name: String, _ text: String, mode: UInt32 = 0o644) throws -> String {
        let full = file(name)
        try Files.write(full, Array(text.utf8), mode: mode)
        return full
    }
}

/// The value of an environment variable that is set and not empty.
package func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
}
