/// The name of a repository inside a registry, such as `library/alpine`.
///
/// Grammar of distribution-spec, "Pulling manifests": lower-case alphanumeric components with inner
/// separators `.`, `_`, `__` or a run of `-`, joined by `/`.
package struct RepositoryName: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The longest name; the limit of the reference library (`RepositoryNameTotalLengthMax`).
    package static let bytesMax = 255

    package let text: String

    /// Parses a whole name; `nil` if it is empty, too long or outside the grammar.
    package init?(parsing text: some StringProtocol) {
        // The length first, so that a megabyte of name costs nothing.
        guard (1...Self.bytesMax).contains(text.utf8.count) else { return nil }
        var text = String(text)
        guard text.withUTF8({ Self.isValid(Span(_unsafeElements: $0)) }) else { return nil }
        self.text = text
    }

    /// The parts between the slashes; never empty.
    package var components: [Substring] {
        text.split(separator: "/", omittingEmptySubsequences: false)
    }

    package var description: String { text }

    package static func < (left: Self, right: Self) -> Bool { left.text < right.text }

    /// Walks the name once; a separator is only accepted when an alphanumeric byte follows it.
    private static func isValid(_ bytes: Span<UInt8>) -> Bool {
        var index = 0
        var previousIsAlphanumeric = false
        while index < bytes.count {
            if isAlphanumeric(bytes[index]) {
                previousIsAlphanumeric = true
                index += 1
                continue
            }
            guard previousIsAlphanumeric, let end = separatorEnd(bytes, from: index) else {
                return false
            }
            previousIsAlphanumeric = false
            index = end
        }
        return previousIsAlphanumeric
    }

    /// Where the separator that starts at `start` ends: one of `/ . _ __` or any run of `-`.
    private static func separatorEnd(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        var end = start + 1
        switch bytes[start] {
        case UInt8(ascii: "/"), UInt8(ascii: "."):
            break
        case UInt8(ascii: "_"):
            if end < bytes.count, bytes[end] == UInt8(ascii: "_") { end += 1 }
        case UInt8(ascii: "-"):
            while end < bytes.count, bytes[end] == UInt8(ascii: "-") { end += 1 }
        default:
            return nil
        }
        return end
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }
}
