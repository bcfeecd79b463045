/// What Cistern reads out of a manifest or an index.
///
/// The bytes themselves are kept and served as they came and are never encoded again; this is what
/// they mean: which content they need, and what they refer to.
package struct Manifest: Hashable, Sendable {
    /// What a manifest is a list of.
    package enum Kind: UInt8, Sendable {
        /// Other manifests: an OCI index or a Docker manifest list.
        case index
        /// A config and layers.
        case image
        /// The blobs of the withdrawn artifact manifest.
        case artifact
        /// A type unknown here: kept and served, but nothing is known of what it needs.
        case other
    }

    /// The longest manifest that is taken (RES-2); containerd refuses a little above it.
    package static let bytesMax = 4 << 20

    /// The type the document is served as, without parameters; it never changes for a digest
    /// (INT-6).
    package let mediaType: String
    package let kind: Kind
    /// The config, layers or manifests in their order, each digest once.
    package let children: [Descriptor]
    /// The manifest that this one is attached to (signatures, attestations, bills of materials).
    package let subject: Digest?
    /// The document's own `artifactType`.
    package let artifactType: String?
    /// The config's type, of an image manifest that has one.
    package let configMediaType: String?
    package let annotations: [String: String]

    /// The `artifactType` that a referrers list shows for this manifest.
    ///
    /// Its own, else the config's type, else none (distribution-spec, "Listing Referrers").
    package var referrerArtifactType: String? {
        if let artifactType, !artifactType.isEmpty { return artifactType }
        return kind == .image ? configMediaType : nil
    }

    /// Reads a manifest out of bytes whose digest has been verified.
    ///
    /// - Parameters:
    ///   - bytes: The whole document.
    ///   - contentType: The Content-Type it came with, parameters and all; `nil` or empty if none.
    /// - Returns: what the document needs and refers to.
    /// - Throws: why it is no manifest that may be bound, kept or served.
    package static func parse(
        _ bytes: [UInt8], contentType: String?
    ) throws(ManifestError) -> Manifest {
        guard !bytes.isEmpty else { throw .empty }
        guard bytes.count <= bytesMax else { throw .tooLarge }
        let document: JSONValue
        do throws(JSONError) {
            document = try JSONValue.parse(bytes)
        } catch {
            throw ManifestError(error)
        }
        return try ManifestReader(document, contentType: contentType).manifest()
    }
}

extension ManifestError {
    init(_ error: JSONError) {
        switch error {
        case .tooLarge: self = .tooLarge
        case .tooDeep, .tooManyValues: self = .tooComplex
        case .duplicateKey: self = .ambiguous("a key appears twice")
        case .syntax: self = .notJSON
        }
    }
}
