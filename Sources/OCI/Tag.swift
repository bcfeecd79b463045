/// A name that can move from one manifest to another, such as `latest`.
///
/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`, case-sensitive (distribution-spec, "Pulling manifests").
package struct Tag: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The longest tag.
    package static let bytesMax = 128

    /// The tag that is meant where none is written.
    package static let latest = Tag(trusted: "latest")

    package let text: String

    /// Parses a whole tag; `nil` if it is empty, too long or outside the grammar.
    package init?(parsing text: some StringProtocol) {
        guard (1...Self.bytesMax).contains(text.utf8.count) else { return nil }
        var isFirst = true
        for byte in text.utf8 {
            guard Self.accepts(byte, first: isFirst) else { return nil }
            isFirst = false
        }
        self.text = String(text)
    }

    /// Takes a text that is a tag by construction.
    init(trusted text: String) {
        self.text = text
    }

    package var description: String { text }

    /// ASCII order, which the draft of the specification allows and every client takes.
    package static func < (left: Self, right: Self) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    private static func accepts(_ byte: UInt8, first: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        case UInt8(ascii: "."), UInt8(ascii: "-"):
            !first
        default:
            false
        }
    }
}
