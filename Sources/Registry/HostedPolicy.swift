import OCI

/// The rules of a hosted repository.
package struct HostedPolicy: Sendable, Equatable {
    /// Which tags may be moved to another manifest.
    package enum Tags: String, Sendable, CaseIterable {
        case mutable, immutable
        case immutableExceptLatest = "immutable except latest"
    }

    /// Tags bound by one request.
    package static let tagsMax = 64

    package var tags = Tags.mutable
    package var allowsDelete = false
    /// What all of it may take on disk, in bytes; nil for no other bound than the store's.
    package var sizeMax: Int64?
    /// So many of each name's newest tags stay; nil: all, unless the other rule lets them go.
    package var keepLast: Int?
    /// Tags younger than that stay.
    package var keepNewerThan: Duration?
    package var manifestBytesMax = Manifest.bytesMax
    package var blobBytesMax: Int64 = 64 << 30

    package init() {}

    /// Whether a tag may be moved.
    func mayMove(_ tag: Tag) -> Bool {
        switch tags {
        case .mutable: true
        case .immutable: false
        case .immutableExceptLatest: tag.text == "latest"
        }
    }
}
