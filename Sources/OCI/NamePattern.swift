/// A pattern of image names: `*` stands for any text within one component, `**` for any number of
/// whole components.
///
/// `library/*`, `acme/**`, `**`.
package struct NamePattern: Hashable, Sendable, CustomStringConvertible {
    /// The longest pattern: a name's bound.
    package static let bytesMax = 255

    package let description: String
    private let components: [[UInt8]]

    /// Nil if it is empty, too long, or holds what no name can.
    package init?(parsing text: some StringProtocol) {
        guard (1...Self.bytesMax).contains(text.utf8.count) else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let isLegal = parts.allSatisfy { part in
            !part.isEmpty && part.utf8.allSatisfy(Self.accepts)
        }
        guard isLegal else { return nil }
        description = String(text)
        components = parts.map { Array($0.utf8) }
    }

    private static func accepts(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "*"):
            true
        default: false
        }
    }

    /// Whether the whole name fits.
    package func matches(_ name: RepositoryName) -> Bool {
        // What is allowed by default, and asked at every pull.
        if components.count == 1, components[0] == Wildcards.anyParts { return true }
        let names = name.text.split(separator: "/").map { Array($0.utf8) }
        return Wildcards.matches(parts: components, names)
    }

}
