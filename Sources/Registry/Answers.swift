package import OCI
package import Reactor

/// A manifest's exact bytes with what is decided about them once and for all.
package final class StoredManifest: Sendable {
    package let digest: Digest
    /// Never changes for a digest (INT-6).
    package let mediaType: String
    package let bytes: [UInt8]

    package init(digest: Digest, mediaType: String, bytes: [UInt8]) {
        self.digest = digest
        self.mediaType = mediaType
        self.bytes = bytes
    }
}

/// A manifest, found.
package struct ManifestAnswer: Sendable {
    package var manifest: StoredManifest
    package var outcome: CacheOutcome
    /// Seconds since a stale tag was last confirmed, for `Age`.
    package var staleSeconds: Int64?
    /// Gives the same manifest as long as nothing that led to it can have changed.
    package var again: HotManifest?

    package init(manifest: StoredManifest, outcome: CacheOutcome, staleSeconds: Int64? = nil) {
        self.manifest = manifest
        self.outcome = outcome
        self.staleSeconds = staleSeconds
    }
}

/// A blob, found: complete, growing, or streamed through.
package struct BlobAnswer: Sendable {
    package enum Content: Sendable {
        case file(GrowingFile)
        /// There is no room: one transfer for this client alone (RES-9), verified but not kept.
        case stream(VerifiedStream)
    }

    package var digest: Digest
    package var content: Content
    /// The size, when it is known already.
    package var size: Int64?
    package var outcome: CacheOutcome
    /// Gives the same blob as long as nothing that led to it can have changed.
    package var again: HotBlobs?
}

/// What is known of a blob without its bytes.
package struct BlobHead: Sendable {
    package var digest: Digest
    package var size: Int64?
    package var outcome: CacheOutcome
}

/// All tags of a name, in ASCII order.
package struct TagsAnswer: Sendable {
    package var tags: [Tag]
    package var outcome: CacheOutcome
}
