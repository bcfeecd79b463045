import OCI
import Synchronization

/// Blobs and manifests that a client was told of a moment ago: it need not send them, and may count
/// on them until the manifest or index that names them comes (P12).
///
/// What a collection is just letting go is not there for anybody any more, so that nobody counts
/// on it in the moment between.
final class Leases: Sendable {
    /// Blobs remembered; of more, the ones longest ago are as if nobody had asked.
    private static let countMax = 65_536

    private struct Key: Hashable {
        let repository: String
        let name: String
        let digest: Digest
    }

    private struct State {
        var told = RecencyCache<Key, Int64>(costMax: Leases.countMax)
        var leaving: Set<Key> = []
    }

    private let state = Mutex(State())

    /// Notes that somebody is told at `time`, in wall seconds; false if the blob is leaving.
    func renew(
        _ repository: String, _ name: String, _ digest: Digest, at time: Int64
    ) -> Bool {
        let key = Key(repository: repository, name: name, digest: digest)
        return state.withLock { state in
            if state.leaving.contains(key) { return false }
            state.told.insert(time, for: key)
            return true
        }
    }

    /// Takes a blob out of what is told of, unless somebody was told of it since `time`.
    func end(
        _ repository: String, _ name: String, _ digest: Digest, unlessToldSince time: Int64
    ) -> Bool {
        let key = Key(repository: repository, name: name, digest: digest)
        return state.withLock { state in
            if let told = state.told.peek(key), told >= time { return false }
            state.leaving.insert(key)
            return true
        }
    }

    /// What was leaving has left, or stays after all.
    func settle() { state.withLock { $0.leaving.removeAll() } }
}
