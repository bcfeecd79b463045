/// Which repositories and names a rule is about: `releases`, `releases/**`, `quay.io/acme/*`, `*`.
///
/// Matched against `repository/name`. `*` stands for any characters of one component, `**` for any
/// components. A pattern without a slash is about whole repositories.
package struct AccessPattern: Hashable, Sendable {
    /// As it was written.
    package let text: String
    private let parts: [[UInt8]]

    private static let bytesMax = 512
    private static let star = UInt8(ascii: "*")
    private static let any = [star, star]

    /// Nil unless it is made of characters that names have, and stars.
    package init?(parsing text: some StringProtocol) {
        let bytes = Array(text.utf8)
        let parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard bytes.count <= Self.bytesMax, parts.allSatisfy({ !$0.isEmpty }),
            bytes.allSatisfy(Self.isAllowed)
        else { return nil }
        self.text = String(text)
        self.parts = parts.map { Array($0) } + (parts.count == 1 ? [Self.any] : [])
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: ".-_/:*".utf8.contains(byte)
        }
    }

    package func matches(_ repository: String, _ name: String) -> Bool {
        let slash = UInt8(ascii: "/")
        let components = Array(name.utf8).split(separator: slash)
        let path = [Array(repository.utf8)] + components.map { Array($0) }
        return Wildcards.matches(
            parts, path, isAny: { $0 == Self.any }, fits: { Self.matches($0, $1) })
    }

    /// Whether a text without slashes fits a pattern in which `*` stands for any characters.
    static func matches(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
        Wildcards.matches(pattern, text, isAny: { $0 == star }, fits: ==)
    }
}

/// Patterns in which some elements stand for any number of others.
enum Wildcards {
    /// In time of at most pattern times text, whatever stands in them: only the last wildcard met
    /// is ever tried again.
    static func matches<Part, Element>(
        _ pattern: [Part], _ text: [Element], isAny: (Part) -> Bool,
        fits: (Part, Element) -> Bool
    ) -> Bool {
        var (part, element) = (0, 0)
        var retry: (part: Int, element: Int)?
        while element < text.count {
            if part < pattern.count, isAny(pattern[part]) {
                retry = (part, element)
                part += 1
            } else if part < pattern.count, fits(pattern[part], text[element]) {
                part += 1
                element += 1
            } else if let last = retry {
                part = last.part + 1
                element = last.element + 1
                retry = (last.part, element)
            } else {
                return false
            }
        }
        return pattern[part...].allSatisfy(isAny)
    }
}
