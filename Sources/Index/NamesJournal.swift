import Glibc
import Linux
import OCI
import Synchronization

/// What no file's bytes tell, once more beside the index: who may show what, which blobs are
/// manifests of which type, what tags point to, and what is pinned (DUR-4).
///
/// Lines that are only ever appended, each with a checksum, so that a torn or damaged one costs
/// itself and no other. Read when an index is lost; rewritten from the index when it has grown. A
/// line is written before the transaction that it tells of: after a crash the journal may know
/// more than the index, which was true when it was written.
final class NamesJournal: Sendable {
    /// The file's name in the store's root.
    static let fileName = "names.log"
    static let rewrittenName = "names.log.new"

    private struct State: ~Copyable {
        var file: FileDescriptor?
        var bytes: Int64
        /// What it was after it was last rewritten.
        var baseBytes: Int64
        /// Whether it tells all that the index knows.
        var isComplete: Bool
    }

    private let path: String
    private let newPath: String
    private let state: Mutex<State>
    /// Whether there was one when the index was opened.
    let wasThere: Bool

    /// `toldAll` is whether one that is there was written to whenever the index was.
    init(directory: String, toldAll: Bool) throws(IndexError) {
        path = "\(directory)/\(Self.fileName)"
        newPath = "\(directory)/\(Self.rewrittenName)"
        wasThere = (try? System.fstatat(AT_FDCWD, path)) != nil
        do throws(Errno) {
            let file = try Self.open(path)
            let bytes = Int64(try System.fstat(file.raw).st_size)
            state = Mutex(
                State(file: file, bytes: bytes, baseBytes: 0, isComplete: wasThere && toldAll))
        } catch {
            throw IndexError.io(error)
        }
        // Left by a crash.
        try? System.unlinkat(AT_FDCWD, newPath)
    }

    private static func open(_ path: String) throws(Errno) -> FileDescriptor {
        try System.open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o600)
    }

    /// What it takes on disk, with room for rewriting it, in bytes.
    var footprint: Int64 { 2 * (bytes + 65_536) }

    private var bytes: Int64 { state.withLock { $0.bytes } }

    /// Whether it lacks something, or most of it is likely to be of the past.
    var wantsRewriting: Bool {
        state.withLock { !$0.isComplete || $0.bytes > 2 * $0.baseBytes + (1 << 20) }
    }

    /// Writes entries at the end.
    ///
    /// One that misses a line would tell of what is forgotten: if that fails it is dropped as a
    /// whole, and written anew from the index some time.
    func append(_ entries: [NamesEntry]) {
        var lines: [UInt8] = []
        for entry in entries { entry.write(to: &lines) }
        if lines.isEmpty { return }
        let isWritten = state.withLock { state in
            guard let file = state.file?.raw else { return true }
            do throws(Errno) {
                try Self.write(lines, to: file)
            } catch {
                state.file = nil
                state.bytes = 0
                state.isComplete = false
                return false
            }
            state.bytes += Int64(lines.count)
            return true
        }
        if !isWritten { try? System.unlinkat(AT_FDCWD, path) }
    }

    private static func write(_ lines: [UInt8], to file: Int32) throws(Errno) {
        var done = 0
        while done < lines.count {
            let result = lines.withUnsafeBytes { buffer in
                Result { () throws(Errno) in
                    try System.write(file, UnsafeRawBufferPointer(rebasing: buffer[done...]))
                }
            }
            done += try result.get()
        }
    }

    /// What all lines together say; blocks.
    func read() -> RememberedNames {
        var names = RememberedNames()
        guard let file = try? System.open(path, O_RDONLY | O_NOFOLLOW) else { return names }
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        var line: [UInt8] = []
        while true {
            let count = buffer.withUnsafeMutableBytes { (try? System.read(file.raw, $0)) ?? 0 }
            if count == 0 { return names }
            for byte in buffer[..<count] {
                if byte != UInt8(ascii: "\n") {
                    // No line is that long: what is, is damage.
                    if line.count < NamesEntry.lineBytesMax { line.append(byte) }
                    continue
                }
                if let entry = NamesEntry(parsing: line) { names.take(entry) }
                line.removeAll(keepingCapacity: true)
            }
        }
    }

    /// Puts a journal of `entries` in the place of this one.
    func rewrite(_ entries: [NamesEntry]) throws(IndexError) {
        var lines: [UInt8] = []
        for entry in entries { entry.write(to: &lines) }
        do throws(Errno) {
            try? System.unlinkat(AT_FDCWD, newPath)
            let file = try Self.open(newPath)
            try Self.write(lines, to: file.raw)
            try System.fdatasync(file.raw)
            try System.renameat(AT_FDCWD, newPath, AT_FDCWD, path)
            state.withLock { state in
                state.file = nil
                state.bytes = Int64(lines.count)
                state.baseBytes = state.bytes
                state.isComplete = true
            }
            try state.withLock { state throws(Errno) in state.file = try Self.open(path) }
        } catch {
            throw IndexError.io(error)
        }
    }
}
