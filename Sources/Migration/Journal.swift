import Glibc
import Linux
import OCI
import Synchronization

/// Which images an earlier run of the same migration has brought whole, so that one that was
/// interrupted goes on, and a later one only looks for what is new.
///
/// A text file: a first line that says which two registries it is about, then
/// `NAME REFERENCE DIGEST` for each image, appended when everything of it has been answered for. A
/// line that was cut by a crash is no line. It may be deleted: then everything is compared again.
package final class Journal: Sendable {
    /// Lines between two fsyncs.
    private static let syncEvery = 64
    private static let bytesMax = 512 << 20

    private struct State: ~Copyable {
        let file: FileDescriptor
        var done: [String: Digest]
        var unsynced = 0
    }

    private let state: Mutex<State>
    package let path: String

    /// Opens or makes the file, and keeps others from using it meanwhile.
    package init(_ path: String, about title: String) throws(CopyFailure) {
        self.path = path
        let header = "cistern-migrate 1 \(title)"
        do throws(Errno) {
            let file = try Self.open(path)
            let bytes = try System.readAll(file.raw, bytesMax: Self.bytesMax)
            let text = String(decoding: bytes, as: UTF8.self)
            var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            // What has no line end was cut.
            let whole = bytes.lastIndex(of: 10).map { $0 + 1 } ?? 0
            let isOurs =
                whole == 0 ? header.hasPrefix(text) : lines.first.map(String.init) == header
            guard isOurs else { throw Errno(EEXIST, "open") }
            if whole < bytes.count { try System.ftruncate(file.raw, Int64(whole)) }
            _ = lines.popLast()
            let done = Self.entries(lines.dropFirst())
            if whole == 0 { try System.writeAll(file.raw, "\(header)\n") }
            state = Mutex(State(file: file, done: done))
        } catch {
            throw Self.failure(path, error)
        }
    }

    // The descriptor's end would not do: a child that is just being started has a copy.
    deinit {
        state.withLock { try? System.flock($0.file.raw, LOCK_UN) }
    }

    private static func open(_ path: String) throws(Errno) -> FileDescriptor {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        for count in parts.indices {
            let folder = parts[...count].joined(separator: "/")
            if !folder.isEmpty { _ = Glibc.mkdir(folder, 0o700) }
        }
        let file = try System.open(path, O_RDWR | O_CREAT | O_APPEND)
        try System.flock(file.raw, LOCK_EX | LOCK_NB)
        return file
    }

    private static func failure(_ path: String, _ error: Errno) -> CopyFailure {
        let (text, fix) =
            switch error.code {
            case EEXIST:
                ("\(path) is not the state of this migration", "--state with another file")
            case EAGAIN:
                ("another run uses \(path)", "wait for it, or --state with another file")
            default:
                (
                    "cannot use \(path): \(Errno.text(error.code))",
                    "--state FILE where you may write"
                )
            }
        return CopyFailure(.destination, "", .local(text, fix: fix))
    }

    private static func entries(_ lines: ArraySlice<Substring>) -> [String: Digest] {
        var done: [String: Digest] = [:]
        for line in lines {
            let words = line.split(separator: " ")
            guard words.count == 3, let digest = Digest(parsing: words[2]) else { continue }
            done["\(words[0]) \(words[1])"] = digest
        }
        return done
    }

    private static func key(_ item: ImageItem) -> String {
        "\(item.target) \(item.targetReference)"
    }

    /// Whether all of this image has been brought.
    func isDone(_ item: ImageItem, _ digest: Digest) -> Bool {
        state.withLock { $0.done[Self.key(item)] == digest }
    }

    /// Notes that all of it has.
    func note(_ item: ImageItem, _ digest: Digest) throws(CopyFailure) {
        let key = Self.key(item)
        let error = state.withLock { state -> Errno? in
            if state.done[key] == digest { return nil }
            do throws(Errno) {
                try System.writeAll(state.file.raw, "\(key) \(digest)\n")
                state.done[key] = digest
                state.unsynced += 1
                if state.unsynced >= Self.syncEvery {
                    try System.fdatasync(state.file.raw)
                    state.unsynced = 0
                }
                return nil
            } catch { return error }
        }
        if let error { throw Self.failure(path, error) }
    }

    /// Makes all of it last.
    func sync() {
        state.withLock { _ = try? System.fdatasync($0.file.raw) }
    }
}

extension Journal {
    /// Where it is if nobody says: one file for each pair of registries, in the user's state
    /// directory; nil if there is none.
    package static func usualPath(_ title: String) -> String? {
        let folder =
            Logins.variable("XDG_STATE_HOME")
            ?? Logins.variable("HOME").map { "\($0)/.local/state" }
        let name = title.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        return folder.map { "\($0)/cistern/migrate-\(String(name).prefix(200))" }
    }
}
