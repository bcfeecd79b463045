import Index
import OCI
package import Reactor
import Store

/// A blob that was found a moment ago, for those who ask for it in the same words: given again as
/// long as nothing that led to it can have changed.
package final class HotBlob: Sendable {
    private let content: Content
    private let place: OpenFile
    private let epoch: UInt64

    /// Nil if the file is not open any more; `epoch` is the index' before it was looked for.
    init?(_ digest: Digest, in content: Content, since epoch: UInt64) {
        guard let place = content.store.place(digest) else { return nil }
        self.content = content
        self.place = place
        self.epoch = epoch
    }

    /// The complete file, marked as used.
    package func again() -> GrowingFile? {
        content.index.epoch == epoch ? content.store.again(place) : nil
    }

    /// Says that it could not be sent to its end, though its client was there (INT-9).
    package func couldNotSend(_ file: GrowingFile) {
        content.couldNotSend(file, of: place.digest)
    }
}

/// A manifest that was found a moment ago; see `HotBlob`.
package final class HotManifest: Sendable {
    private let content: Content
    private let digest: Digest
    private let epoch: UInt64
    /// The second by the clock in which its answer holds, if that tells how long a tag is fresh.
    private let second: Int64?

    init(_ digest: Digest, in content: Content, since epoch: UInt64, within second: Int64? = nil) {
        self.content = content
        self.digest = digest
        self.epoch = epoch
        self.second = second
    }

    /// The manifest, marked as used.
    package func again() -> StoredManifest? {
        if let second, content.loop.clock.wallSeconds != second { return nil }
        return content.hotManifest(digest, since: epoch)
    }
}
