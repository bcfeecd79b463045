import Index
package import OCI
package import Reactor
import Store

/// Blobs that were shown under one name, for those who ask as was asked a moment ago: what is known
/// to be linked and verified is given at once, without a look into the index.
package final class HotBlobs: Sendable {
    private let content: Content
    private let scope: Scope
    private let name: RepositoryName
    /// In a group.
    private let unowned: UnownedName?

    init(
        of scope: Scope, _ name: RepositoryName, in content: Content,
        while unowned: UnownedName? = nil
    ) {
        self.content = content
        self.scope = scope
        self.name = name
        self.unowned = unowned
    }

    /// The complete file, marked as used; nil if it has to be looked for.
    package func file(_ digest: Digest) -> GrowingFile? {
        guard unowned?.holds ?? true,
            content.index.isKnownToLink(repository: scope.key, name: name, digest)
        else { return nil }
        return content.store.ready(digest)
    }

    /// Says that it could not be sent to its end, though its client was there (INT-9).
    package func couldNotSend(_ file: GrowingFile, of digest: Digest) {
        content.couldNotSend(file, of: digest)
    }
}

/// A manifest that was found a moment ago, for those who ask for it in the same words: given again
/// as long as nothing that led to it can have changed.
package final class HotManifest: Sendable {
    private let content: Content
    private let digest: Digest
    private let epoch: UInt64
    /// The second by the clock in which its answer holds, if that tells how long a tag is fresh.
    private let second: Int64?
    /// In a group.
    private let unowned: UnownedName?

    init(
        _ digest: Digest, in content: Content, since epoch: UInt64, within second: Int64? = nil,
        while unowned: UnownedName? = nil
    ) {
        self.content = content
        self.digest = digest
        self.epoch = epoch
        self.second = second
        self.unowned = unowned
    }

    /// The manifest, marked as used.
    package func again() -> StoredManifest? {
        if let second, content.loop.clock.wallSeconds != second { return nil }
        guard unowned?.holds ?? true else { return nil }
        return content.hotManifest(digest, since: epoch)
    }
}
