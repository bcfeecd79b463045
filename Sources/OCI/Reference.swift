/// What may stand behind `/manifests/`: a tag or a digest.
package enum Reference: Hashable, Sendable, CustomStringConvertible {
    case tag(Tag)
    case digest(Digest)

    /// Parses a tag or a digest; a tag has no colon, so the colon alone decides which it is.
    package init?(parsing text: some StringProtocol) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard let digest = Digest(parsing: text) else { return nil }
            self = .digest(digest)
        } else {
            guard let tag = Tag(parsing: text) else { return nil }
            self = .tag(tag)
        }
    }

    /// The tag, if it is one.
    package var tag: Tag? {
        if case .tag(let tag) = self { tag } else { nil }
    }

    /// The digest, if it is one.
    package var digest: Digest? {
        if case .digest(let digest) = self { digest } else { nil }
    }

    package var description: String {
        switch self {
        case .tag(let tag): tag.text
        case .digest(let digest): digest.description
        }
    }
}
