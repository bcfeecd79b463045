import OCI

/// Which repositories and names a rule is about: `releases`, `releases/**`, `quay.io/acme/*`, `*`.
///
/// Matched against `repository/name`. `*` stands for any characters of one component, `**` for any
/// components. A pattern without a slash is about whole repositories.
package struct AccessPattern: Hashable, Sendable {
    /// As it was written.
    package let text: String
    private let parts: [[UInt8]]

    private static let bytesMax = 512

    /// Nil unless it is made of characters that names have, and stars.
    package init?(parsing text: some StringProtocol) {
        let bytes = Array(text.utf8)
        let parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard bytes.count <= Self.bytesMax, parts.allSatisfy({ !$0.isEmpty }),
            bytes.allSatisfy(Self.isAllowed)
        else { return nil }
        self.text = String(text)
        self.parts = parts.map { Array($0) } + (parts.count == 1 ? [Wildcards.anyParts] : [])
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
        return Wildcards.matches(parts: parts, path)
    }
}
