import OCI
import Synchronization

/// Links that were looked up a moment ago: pulls ask for the same ones again and again, and a hit
/// then needs no query.
///
/// Only what is linked is remembered, and only until any link is removed (or a tag changes, which
/// shares the epoch). Who reads a link while that happens must not put it back, so a link is added
/// under the epoch that was read before it. Kept as fingerprints, in 2 MiB at most: they are keyed
/// per process, so that nobody can aim at one, and what is no link is taken for one by chance once
/// in 10^13 look-ups.
final class KnownLinks: Sendable {
    private static let linksMax = 262_144

    private struct State: ~Copyable {
        var links = Fingerprints(countMax: KnownLinks.linksMax)
        var epoch: UInt64 = 0
    }

    private let state = Mutex(State())

    /// See `ContentIndex.epoch`.
    var epoch: UInt64 { state.withLock { $0.epoch } }

    func contains(_ repository: String, _ name: RepositoryName, _ digest: Digest) -> Bool {
        state.withLock {
            $0.links.contains(Self.fingerprint(repository, name, digest, $0.epoch))
        }
    }

    /// Remembers a link that was read when `epoch` was the current one.
    func add(
        _ repository: String, _ name: RepositoryName, _ digest: Digest, since epoch: UInt64
    ) {
        state.withLock { state in
            guard state.epoch == epoch else { return }
            state.links.insert(Self.fingerprint(repository, name, digest, epoch))
        }
    }

    /// Forgets everything: in another epoch each link has another fingerprint.
    func forget() {
        state.withLock { $0.epoch &+= 1 }
    }

    private static func fingerprint(
        _ repository: String, _ name: RepositoryName, _ digest: Digest, _ epoch: UInt64
    ) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(epoch)
        hasher.combine(repository)
        hasher.combine(name.text)
        hasher.combine(digest)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}
