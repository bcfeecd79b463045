import OCI
import Synchronization

/// Growing files that an earlier run did not bring to their end, at most one per digest.
///
/// The next fetch of the digest goes on with what is there. They are counted in the ledger, are the
/// first to go when space is needed, and are dropped after a day.
final class Leftovers: Sendable {
    /// How long one is kept, in seconds.
    static let ageMax: Int64 = 86_400

    struct Leftover: Sendable {
        let name: GrowingName
        /// In bytes.
        let size: Int64
        let disk: Int64
        /// When it was written last, in seconds since 1970.
        let writtenAt: Int64

        /// How much of it a fetch may go on from.
        ///
        /// Without its last byte: then the upstream always has something to send, and says by that
        /// that who asks may read the blob, and how long it is (AUTH-1).
        var usable: Int64 { max(0, size - 1) }
    }

    private let files = Mutex<[Digest: Leftover]>([:])

    subscript(digest: Digest) -> Leftover? { files.withLock { $0[digest] } }

    var all: [Leftover] {
        files.withLock { $0.values.sorted { $0.name.digest < $1.name.digest } }
    }

    /// Keeps `leftover`; gives the one that has to go for it, which may be itself.
    func add(_ leftover: Leftover) -> Leftover? {
        files.withLock { files in
            guard let known = files[leftover.name.digest] else {
                files[leftover.name.digest] = leftover
                return nil
            }
            guard leftover.size > known.size else { return leftover }
            return files.updateValue(leftover, forKey: leftover.name.digest)
        }
    }

    func take(_ digest: Digest) -> Leftover? { files.withLock { $0.removeValue(forKey: digest) } }

    func takeOldest() -> Leftover? {
        files.withLock { files in
            let oldest = files.values.min {
                ($0.writtenAt, $0.name.digest) < ($1.writtenAt, $1.name.digest)
            }
            return oldest.flatMap { files.removeValue(forKey: $0.name.digest) }
        }
    }

    /// Those that were written before `time`, in seconds since 1970.
    func take(writtenBefore time: Int64) -> [Leftover] {
        files.withLock { files in
            let old = files.values.filter { $0.writtenAt < time }
                .sorted { $0.name.digest < $1.name.digest }
            for leftover in old { files[leftover.name.digest] = nil }
            return old
        }
    }
}
