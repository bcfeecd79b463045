/// The media types that registries and their clients speak of, and how one is read from a header.
package enum MediaType {
    package static let ociIndex = "application/vnd.oci.image.index.v1+json"
    package static let ociManifest = "application/vnd.oci.image.manifest.v1+json"
    package static let dockerList = "application/vnd.docker.distribution.manifest.list.v2+json"
    package static let dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
    /// The artifact manifest of image-spec 1.1 release candidates; withdrawn, but some was pushed.
    package static let ociArtifact = "application/vnd.oci.artifact.manifest.v1+json"
    /// Schema 1, refused: its digest is not the hash of its bytes and no current client takes it.
    package static let dockerSchema1 = "application/vnd.docker.distribution.manifest.v1+json"
    package static let dockerSchema1Signed =
        "application/vnd.docker.distribution.manifest.v1+prettyjws"

    package static let ociConfig = "application/vnd.oci.image.config.v1+json"
    package static let dockerConfig = "application/vnd.docker.container.image.v1+json"
    package static let ociEmpty = "application/vnd.oci.empty.v1+json"
    package static let octetStream = "application/octet-stream"
    package static let json = "application/json"

    /// The `Accept` line of every manifest request to an upstream.
    ///
    /// Always the full set, whatever the client sent: registries rewrite or hide content when a
    /// type is missing, `*/*` alone not counting (protocol.md §1.8, INT-5).
    package static let accepted = [
        ociIndex, dockerList, ociManifest, dockerManifest, "*/*",
    ].joined(separator: ", ")

    /// A Content-Type value without its parameters and in lower case; empty if there is none.
    ///
    /// Registries should send none and clients compare for equality, so they are dropped before the
    /// type is kept (protocol.md §1.3).
    package static func stripped(_ value: some StringProtocol) -> String {
        let bare = value.utf8.prefix { $0 != UInt8(ascii: ";") }
        let trimmed = bare.drop(while: isBlank).reversed().drop(while: isBlank).reversed()
        return String(decoding: trimmed.map(lowered), as: UTF8.self)
    }

    /// Whether the text is `type/subtype` in the characters RFC 6838 §4.2 allows, at most 255 of
    /// them.
    package static func isValid(_ text: String) -> Bool {
        guard (3...255).contains(text.utf8.count) else { return false }
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count == 2 else { return false }
        return parts.allSatisfy { !$0.isEmpty && $0.allSatisfy(isNameByte) }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default:
            "!#$&-^_.+".utf8.contains(byte)
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    private static func lowered(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
