import Index
import Linux
import OCI
import Synchronization

/// Which files were verified in this run and look as they did then (INT-9), in bounded memory.
///
/// Keeps a fingerprint of digest and identity: 262,144 files in 2 MiB, however many are stored.
/// What falls out is verified again when it is served next. Fingerprints are keyed per process, so
/// that nobody can aim at one; a changed file is taken for an unchanged one by chance once in 10^14
/// times.
final class VerifiedFiles: Sendable {
    private static let filesMax = 262_144

    private let prints = Mutex(Fingerprints(countMax: VerifiedFiles.filesMax))

    /// Remembers that the bytes of this file are those of `digest`.
    func insert(_ digest: Digest, _ identity: FileIdentity) {
        let print = Self.fingerprint(digest, identity)
        prints.withLock { $0.insert(print) }
    }

    /// Whether that was verified in this run; a use that keeps it remembered.
    func contains(_ digest: Digest, _ identity: FileIdentity) -> Bool {
        let print = Self.fingerprint(digest, identity)
        return prints.withLock { $0.contains(print) }
    }

    /// Forgets that: somebody has reason to doubt it.
    func remove(_ digest: Digest, _ identity: FileIdentity) {
        let print = Self.fingerprint(digest, identity)
        prints.withLock { $0.remove(print) }
    }

    private static func fingerprint(_ digest: Digest, _ identity: FileIdentity) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(digest)
        hasher.combine(identity)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}
