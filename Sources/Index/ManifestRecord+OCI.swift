package import OCI

extension ManifestRecord {
    /// The record of a parsed manifest; `size` is that of its bytes.
    package init(digest: Digest, size: Int64, _ manifest: Manifest) {
        var annotations: String?
        if !manifest.annotations.isEmpty {
            var writer = JSONWriter()
            writer.object { writer in
                for (key, value) in manifest.annotations.sorted(by: { $0.key < $1.key }) {
                    writer.member(key, value)
                }
            }
            annotations = String(decoding: writer.bytes, as: UTF8.self)
        }
        self.init(
            digest: digest, mediaType: manifest.mediaType, size: size,
            artifactType: manifest.referrerArtifactType, subject: manifest.subject,
            annotations: annotations,
            children: manifest.children.map {
                ChildRow(digest: $0.digest, size: $0.size, mediaType: $0.mediaType)
            })
    }
}

extension ReferrerRow {
    /// The row as a referrers list shows it.
    package var descriptor: Descriptor {
        var annotations: [String: String] = [:]
        let text = Array((self.annotations ?? "").utf8)
        // Written by this index; what cannot be read is left out rather than made up.
        if !text.isEmpty, let object = (try? JSONValue.parse(text))?.object {
            for member in object { annotations[member.key] = member.value.string }
        }
        return Descriptor(
            mediaType: mediaType, digest: digest, size: size, artifactType: artifactType,
            annotations: annotations)
    }
}
