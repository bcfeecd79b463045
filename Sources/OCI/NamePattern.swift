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
        let names = name.text.split(separator: "/").map { Array($0.utf8) }
        return Self.fits(components[...], names[...]) { pattern, name in
            Self.fits(pattern[...], name[...])
        }
    }

    /// Components against components: the last `**` takes one more whenever the rest does not fit,
    /// so that the work is bounded by the product of the lengths.
    private static func fits(
        _ pattern: ArraySlice<[UInt8]>, _ names: ArraySlice<[UInt8]>,
        _ isSame: ([UInt8], [UInt8]) -> Bool
    ) -> Bool {
        let any: [UInt8] = Array("**".utf8)
        var (at, place) = (pattern.startIndex, names.startIndex)
        var retry: (at: Int, place: Int)?
        while place < names.endIndex {
            if at < pattern.endIndex, pattern[at] == any {
                retry = (at + 1, place)
                at += 1
            } else if at < pattern.endIndex, isSame(pattern[at], names[place]) {
                (at, place) = (at + 1, place + 1)
            } else if let last = retry {
                retry = (last.at, last.place + 1)
                (at, place) = (last.at, last.place + 1)
            } else {
                return false
            }
        }
        return pattern[at...].allSatisfy { $0 == any }
    }

    /// The same within a component, where `*` is what stands for more.
    private static func fits(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>) -> Bool {
        let any = UInt8(ascii: "*")
        var (at, place) = (pattern.startIndex, name.startIndex)
        var retry: (at: Int, place: Int)?
        while place < name.endIndex {
            if at < pattern.endIndex, pattern[at] == any {
                retry = (at + 1, place)
                at += 1
            } else if at < pattern.endIndex, pattern[at] == name[place] {
                (at, place) = (at + 1, place + 1)
            } else if let last = retry {
                retry = (last.at, last.place + 1)
                (at, place) = (last.at, last.place + 1)
            } else {
                return false
            }
        }
        return pattern[at...].allSatisfy { $0 == any }
    }
}
