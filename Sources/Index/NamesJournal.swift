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
///
/// It is rewritten a piece at a time, into a file beside it that takes its place when it is whole
/// and on disk. Until then every line goes to both, on the index thread like the pieces: what the
/// new file says last of anything is what the index says of it.
final class NamesJournal: Sendable {
    /// The file's name in the store's root.
    static let fileName = "names.log"
    static let rewrittenName = "names.log.new"
    /// About how many bytes are written between two looks at how much that was; `footprint` has
    /// room for as much.
    static let pieceBytes = 64 << 10

    /// One file, closed with the last who uses it: it is synced off the index thread.
    private final class LogFile: Sendable {
        let descriptor: FileDescriptor

        init(_ path: String) throws(Errno) {
            descriptor = try System.open(
                path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o600)
        }
    }

    private struct State {
        var file: LogFile?
        var bytes: Int64
        /// What it was after it was last rewritten in this run.
        var baseBytes: Int64 = 0
        /// Whether it tells all that the index knows.
        var isComplete: Bool
        /// What is to take its place.
        var next: LogFile?
        var nextBytes: Int64 = 0
        /// How often it was begun.
        var rewritings = 0
    }

    private let directory: String
    private let path: String
    private let nextPath: String
    private let state: Mutex<State>
    /// Whether there was one when the index was opened.
    let wasThere: Bool

    /// `toldAll` is whether one that is there was written to whenever the index was.
    init(directory: String, toldAll: Bool) throws(IndexError) {
        self.directory = directory
        path = "\(directory)/\(Self.fileName)"
        nextPath = "\(directory)/\(Self.rewrittenName)"
        wasThere = (try? System.fstatat(AT_FDCWD, path)) != nil
        do throws(Errno) {
            let file = try LogFile(path)
            let bytes = Int64(try System.fstat(file.descriptor.raw).st_size)
            state = Mutex(State(file: file, bytes: bytes, isComplete: wasThere && toldAll))
        } catch {
            throw IndexError.io(error)
        }
        // Left by a crash.
        try? System.unlinkat(AT_FDCWD, nextPath)
    }

    /// What it takes on disk, with room for rewriting it, in bytes.
    var footprint: Int64 {
        state.withLock { state in
            state.bytes + max(state.bytes, state.nextBytes) + 2 * Int64(Self.pieceBytes)
        }
    }

    /// Whether it lacks something, or more than half of it is likely to be of the past: one that
    /// is as it should be takes about `expected` bytes.
    func wantsRewriting(expecting expected: Int64) -> Bool {
        state.withLock { state in
            !state.isComplete || state.bytes > 2 * max(state.baseBytes, expected) + (1 << 20)
        }
    }

    /// Writes entries at the end.
    ///
    /// One that misses a line would tell of what is forgotten: if that fails it is dropped as a
    /// whole, and written anew from the index some time.
    func append(_ entries: [NamesEntry]) {
        let lines = NamesEntry.lines(entries)
        if lines.isEmpty { return }
        state.withLock { state in
            if let file = state.file {
                do throws(Errno) {
                    try Self.write(lines, to: file)
                    state.bytes += Int64(lines.count)
                } catch {
                    state.file = nil
                    state.bytes = 0
                    state.isComplete = false
                    try? System.unlinkat(AT_FDCWD, path)
                }
            }
            appendToNext(lines, &state)
        }
    }

    private static func write(_ lines: [UInt8], to file: LogFile) throws(Errno) {
        var done = 0
        while done < lines.count {
            let result = lines.withUnsafeBytes { buffer in
                Result { () throws(Errno) in
                    try System.write(
                        file.descriptor.raw, UnsafeRawBufferPointer(rebasing: buffer[done...]))
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

    // MARK: - Rewriting

    /// Begins a file that is to take this one's place and gives it a number; nil if there is one
    /// already.
    func beginRewriting() throws(IndexError) -> Int? {
        do throws(Errno) {
            return try state.withLock { state throws(Errno) in
                if state.next != nil { return nil }
                try? System.unlinkat(AT_FDCWD, nextPath)
                state.next = try LogFile(nextPath)
                state.rewritings += 1
                return state.rewritings
            }
        } catch {
            throw IndexError.io(error)
        }
    }

    /// Adds a piece to the new file of that number; false if that was given up.
    func rewrite(_ lines: [UInt8], _ number: Int) -> Bool {
        state.withLock { state in
            guard number == state.rewritings else { return false }
            appendToNext(lines, &state)
            return state.next != nil
        }
    }

    /// Tells the new file, if there is one, what this one knows already and the index did not.
    func retell(_ entries: [NamesEntry]) {
        state.withLock { state in
            if state.next != nil { appendToNext(NamesEntry.lines(entries), &state) }
        }
    }

    /// Gives the new file up if a line cannot be written to it.
    private func appendToNext(_ lines: [UInt8], _ state: inout State) {
        guard let next = state.next else { return }
        do throws(Errno) {
            try Self.write(lines, to: next)
            state.nextBytes += Int64(lines.count)
        } catch {
            abandon(&state)
        }
    }

    /// Has what was written so far to the new file on disk; blocks, for any thread.
    func syncRewritten() throws(IndexError) {
        guard let next = state.withLock({ $0.next }) else { return }
        do throws(Errno) {
            try System.fdatasync(next.descriptor.raw)
        } catch {
            throw IndexError.io(error)
        }
    }

    /// Puts the new file of that number, which is whole now, in the place of this one.
    func finishRewriting(_ number: Int) throws(IndexError) {
        do throws(Errno) {
            try state.withLock { state throws(Errno) in
                guard let next = state.next, number == state.rewritings else {
                    throw Errno(ECANCELED, Self.rewrittenName)
                }
                try System.fdatasync(next.descriptor.raw)
                try System.renameat(AT_FDCWD, nextPath, AT_FDCWD, path)
                state = State(
                    file: next, bytes: state.nextBytes, baseBytes: state.nextBytes,
                    isComplete: true, rewritings: number)
                // After a power cut it is one or the other: both are whole.
                let directory = try System.open(directory, O_RDONLY | O_DIRECTORY)
                try System.fsync(directory.raw)
            }
        } catch {
            throw IndexError.io(error)
        }
    }

    /// Leaves it at what there is, unless the new file of that number is there no more.
    func abandonRewriting(_ number: Int) {
        state.withLock { state in
            if number == state.rewritings { abandon(&state) }
        }
    }

    /// Leaves it at what there is: the index is closed, and another may open it.
    func close() {
        state.withLock { state in abandon(&state) }
    }

    private func abandon(_ state: inout State) {
        guard state.next != nil else { return }
        state.next = nil
        state.nextBytes = 0
        try? System.unlinkat(AT_FDCWD, nextPath)
    }
}
