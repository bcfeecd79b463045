package import OCI

/// A stored file: what the index knows of one digest's bytes.
package struct BlobRow: Equatable, Sendable {
    package let size: Int64
    /// Bytes of the file system that the file occupies.
    package let disk: Int64
    /// Recency stamp, see `ContentIndex.touch`; kept up to date for roots only.
    package let lastUsed: Int64
    /// Whether no stored manifest names it: a whole image or an orphan.
    package let isRoot: Bool
}

/// A stored manifest as its verified bytes describe it.
package struct ManifestRow: Equatable, Sendable {
    package let mediaType: String
    package let size: Int64
    package let artifactType: String?
    package let subject: Digest?
    /// The annotations as JSON text, for referrers.
    package let annotations: String?
}

/// What a tag points to.
package struct TagRow: Equatable, Sendable {
    package let digest: Digest
    /// When an upstream last confirmed it, in wall seconds, never in the future (OPS-4).
    package let checkedAt: Int64
    /// When the tag began to point to this digest.
    package let createdAt: Int64
}

/// Under which name a repository has shown something.
package struct LinkRow: Equatable, Sendable {
    package let repository: String
    package let name: RepositoryName
}

/// A manifest that refers to a subject.
package struct ReferrerRow: Equatable, Sendable {
    package let digest: Digest
    package let mediaType: String
    package let size: Int64
    package let artifactType: String?
    package let annotations: String?
}

/// What a stored manifest names.
package struct ChildRow: Equatable, Sendable {
    package let digest: Digest
    package let size: Int64
    package let mediaType: String

    package init(digest: Digest, size: Int64, mediaType: String) {
        self.digest = digest
        self.size = size
        self.mediaType = mediaType
    }
}

/// A manifest to be recorded, with what it names.
package struct ManifestRecord: Sendable {
    package var digest: Digest
    package var mediaType: String
    package var size: Int64
    package var artifactType: String?
    package var subject: Digest?
    /// JSON text, given back untouched in `ReferrerRow`.
    package var annotations: String?
    package var children: [ChildRow]

    package init(
        digest: Digest, mediaType: String, size: Int64, artifactType: String? = nil,
        subject: Digest? = nil, annotations: String? = nil, children: [ChildRow] = []
    ) {
        self.digest = digest
        self.mediaType = mediaType
        self.size = size
        self.artifactType = artifactType
        self.subject = subject
        self.annotations = annotations
        self.children = children
    }
}

/// A file that may exist without a blob row.
package struct PendingRow: Equatable, Sendable {
    package let digest: Digest
    package let disk: Int64
    /// Given up: only its unlinking is missing.
    package let isDoomed: Bool
}

/// One use of a digest: stamps are strictly increasing microseconds, see `ContentIndex.touch`.
package struct UseMark: Sendable {
    package let digest: Digest
    package let stamp: Int64

    package init(digest: Digest, stamp: Int64) {
        self.digest = digest
        self.stamp = stamp
    }
}

/// What the eviction shall free, and what it must leave alone.
package struct EvictionRequest: Sendable {
    package var bytes: Int64
    /// No image is begun once this many objects are out: bounds the transaction.
    package var objectsMax: Int
    /// Images that hold one of these stay, come what may.
    package var kept: [Digest]

    package init(bytes: Int64, objectsMax: Int = 256, kept: [Digest] = []) {
        self.bytes = bytes
        self.objectsMax = objectsMax
        self.kept = kept
    }
}

/// An object that the index has forgotten and whose file is now to be unlinked.
package struct EvictedObject: Equatable, Sendable {
    package let digest: Digest
    package let disk: Int64
    /// The stamp of the image it went with.
    package let lastUsed: Int64
}

/// Sums over all stored objects.
package struct IndexTotals: Equatable, Sendable {
    package var blobs = 0
    package var manifests = 0
    package var bytes: Int64 = 0
    package var disk: Int64 = 0
}
