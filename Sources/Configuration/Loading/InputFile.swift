import Glibc
package import Linux

/// Reads small files whole, with a bound.
package enum InputFile {
    /// Why a file could not be had.
    package enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        case system(Errno)
        case tooLarge(max: Int)
        case notRegular
        /// Group or others may read it; the file's mode.
        case tooOpen(mode: UInt32)

        package var description: String {
            switch self {
            case .system(let errno): Errno.text(errno.code)
            case .tooLarge(let max): "larger than \(max) bytes"
            case .notRegular: "not a regular file"
            case .tooOpen(let mode): "mode \(String(mode, radix: 8))"
            }
        }
    }

    /// Reads a file, or a pipe, of at most `max` bytes.
    static func read(path: String, max: Int) throws(Failure) -> [UInt8] {
        let file = try opened(path, O_RDONLY)
        return try readAll(file.raw, max: max)
    }

    /// Reads standard input to its end.
    static func readStandardInput(max: Int) throws(Failure) -> [UInt8] {
        try readAll(STDIN_FILENO, max: max)
    }

    /// Reads a regular file none of whose `forbidden` mode bits is set (LOC-1).
    static func readPrivate(
        path: String, forbidden: UInt32, max: Int
    ) throws(Failure) -> [UInt8] {
        // Without O_NONBLOCK a pipe in the file's place would hold the start up for ever.
        let file = try opened(path, O_RDONLY | O_NONBLOCK)
        let status: stat
        do throws(Errno) { status = try System.fstat(file.raw) } catch { throw .system(error) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular }
        let mode = UInt32(status.st_mode) & 0o777
        guard mode & forbidden == 0 else { throw .tooOpen(mode: mode) }
        return try readAll(file.raw, max: max)
    }

    private static func opened(_ path: String, _ flags: Int32) throws(Failure) -> FileDescriptor {
        do throws(Errno) { return try System.open(path, flags) } catch { throw .system(error) }
    }

    private static func readAll(_ descriptor: Int32, max: Int) throws(Failure) -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 1)
        defer { buffer.deallocate() }
        var bytes: [UInt8] = []
        while true {
            let count: Int
            do throws(Errno) {
                count = try System.read(descriptor, buffer)
            } catch { throw .system(error) }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= max else { throw .tooLarge(max: max) }
        }
    }
}
