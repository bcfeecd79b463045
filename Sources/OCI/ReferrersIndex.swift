/// The answer of the referrers API: an index of the manifests whose `subject` is a given digest.
package struct ReferrersIndex: Sendable {
    package static let contentType = MediaType.ociIndex

    /// What refers to the subject, in the order it is served.
    package var descriptors: [Descriptor]

    package init(_ descriptors: [Descriptor] = []) {
        self.descriptors = descriptors
    }

    /// Reads the answer of another registry, or the index kept under a fallback tag (RES-2, RES-3).
    ///
    /// Descriptors of unknown digest algorithms are left out.
    package static func parse(_ bytes: [UInt8]) throws(ManifestError) -> ReferrersIndex {
        guard !bytes.isEmpty else { throw .empty }
        let document: JSONValue
        do throws(JSONError) {
            document = try JSONValue.parse(bytes)
        } catch {
            throw ManifestError(error)
        }
        guard document.object != nil else { throw .notJSON }
        guard document["layers"] == nil, document["config"] == nil else {
            throw .ambiguous("it lists both manifests and layers")
        }
        guard document["manifests"] != nil || document["schemaVersion"]?.integer == 2 else {
            throw .notManifest
        }
        return Self(try ManifestReader(document, contentType: nil).descriptors("manifests"))
    }

    /// The index as JSON; an empty list is an answer too, never an error (distribution-spec).
    package func encode() -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("schemaVersion", 2)
            writer.member("mediaType", MediaType.ociIndex)
            writer.key("manifests")
            writer.array { writer in
                for descriptor in descriptors { descriptor.encode(to: &writer) }
            }
        }
        return writer.bytes
    }
}

extension Descriptor {
    /// Writes the descriptor as JSON.
    ///
    /// Annotations come in the order of their keys, so that equal lists have equal bytes. `urls` is
    /// left out: Cistern never passes on where else content might lie.
    package func encode(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("mediaType", mediaType)
            writer.member("digest", digest.description)
            writer.member("size", size)
            if let artifactType, !artifactType.isEmpty {
                writer.member("artifactType", artifactType)
            }
            encodePlatform(to: &writer)
            guard !annotations.isEmpty else { return }
            writer.key("annotations")
            writer.object { writer in
                for (key, value) in annotations.sorted(by: { $0.key < $1.key }) {
                    writer.member(key, value)
                }
            }
        }
    }

    private func encodePlatform(to writer: inout JSONWriter) {
        guard let platform else { return }
        let parts = platform.split(separator: "/", maxSplits: 2)
        guard parts.count >= 2 else { return }
        writer.key("platform")
        writer.object { writer in
            writer.member("architecture", String(parts[1]))
            writer.member("os", String(parts[0]))
            if parts.count == 3 { writer.member("variant", String(parts[2])) }
        }
    }
}
