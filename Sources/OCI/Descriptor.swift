/// A pointer from one piece of content to another (image-spec, "Descriptors").
package struct Descriptor: Hashable, Sendable {
    package var mediaType: String
    package var digest: Digest
    /// The length of the content in bytes; never negative.
    package var size: Int64
    package var artifactType: String?
    package var annotations: [String: String]
    /// Whether the descriptor says where else its content lies.
    ///
    /// Those places are never asked (SSRF-1); it only tells that the registry may legally lack it.
    package var hasURLs: Bool
    /// `os/architecture` or `os/architecture/variant`, if the descriptor names a platform.
    package var platform: String?

    package init(
        mediaType: String, digest: Digest, size: Int64, artifactType: String? = nil,
        annotations: [String: String] = [:], hasURLs: Bool = false, platform: String? = nil
    ) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.artifactType = artifactType
        self.annotations = annotations
        self.hasURLs = hasURLs
        self.platform = platform
    }
}
