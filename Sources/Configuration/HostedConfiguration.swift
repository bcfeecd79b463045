/// `type = "hosted"`: a repository of one's own, pushed to.
package struct HostedConfiguration: Sendable, Equatable {
    /// Which tags may be moved to another manifest.
    package enum Tags: String, Sendable, CaseIterable {
        case mutable, immutable
        case immutableExceptLatest = "immutable except latest"
    }

    /// Which tags stay of each name; both must let one go before it does.
    package struct Keep: Sendable, Equatable {
        /// So many of the newest.
        package var last: Int?
        /// Those that were pushed so lately.
        package var newerThan: Duration?
    }

    package var tags: Tags
    /// Whether clients may delete tags, manifests and blobs.
    package var allowsDelete: Bool
    /// What all of it may take on disk, in bytes; nil: as much as the store.
    package var maxSize: Int64?
    /// Nil: every tag stays.
    package var keep: Keep?
}
