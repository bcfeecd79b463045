import OCI
import Synchronization

/// Uploads under way: in use, or waiting since an earlier run for their client to come back.
final class Uploads: Sendable {
    /// More are refused: each holds a file, and space that nobody else can have.
    static let countMax = 1024

    enum Entry: Sendable {
        case open(Upload, usedAt: Int64)
        /// Not opened yet in this run.
        case waiting(Reservation, usedAt: Int64)

        var usedAt: Int64 {
            switch self {
            case .open(_, let time), .waiting(_, let time): time
            }
        }

        func used(at time: Int64) -> Entry {
            switch self {
            case .open(let upload, _): .open(upload, usedAt: time)
            case .waiting(let reservation, _): .waiting(reservation, usedAt: time)
            }
        }
    }

    private let entries = Mutex<[UploadID: Entry]>([:])

    subscript(id: UploadID) -> Entry? { entries.withLock { $0[id] } }

    var count: Int { entries.withLock { $0.count } }

    func insert(_ entry: Entry, as id: UploadID) { entries.withLock { $0[id] = entry } }

    /// Takes in an upload that was opened, unless somebody else was faster; gives the one that is
    /// there then, nil if the upload has ended.
    func opened(_ upload: Upload, at time: Int64) -> Upload? {
        entries.withLock { entries in
            switch entries[upload.id] {
            case .open(let other, _): return other
            case .waiting:
                entries[upload.id] = .open(upload, usedAt: time)
                return upload
            case nil: return nil
            }
        }
    }

    /// Notes that the client of an upload has come back.
    func use(_ id: UploadID, at time: Int64) {
        entries.withLock { entries in
            if let entry = entries[id] { entries[id] = entry.used(at: time) }
        }
    }

    func remove(_ id: UploadID) { entries.withLock { $0[id] = nil } }

    /// Lets go of all of them, for the next run to find: each keeps its store in memory.
    func removeAll() {
        let all = entries.withLock { entries in
            defer { entries = [:] }
            return entries
        }
        // Closed outside of the lock.
        _ = all
    }

    /// Those that nobody has come back to since `time`.
    func idle(since time: Int64) -> [UploadID] {
        entries.withLock { entries in entries.filter { $0.value.usedAt < time }.map { $0.key } }
    }

    /// Takes an upload out to end it, unless somebody has it, or has come back to it since `time`.
    func takeOut(_ id: UploadID, idleSince time: Int64) -> Entry? {
        entries.withLock { entries in
            guard let entry = entries[id], entry.usedAt < time else { return nil }
            if case .open(let upload, _) = entry, !upload.take() { return nil }
            entries[id] = nil
            return entry
        }
    }
}
