/// Patterns in which some elements stand for any number of others.
package enum Wildcards {
    private static let star = UInt8(ascii: "*")
    /// What stands for any number of whole parts.
    package static let anyParts = [star, star]

    /// Whether a text fits a pattern in which `*` stands for any characters.
    package static func matches(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
        matches(pattern, text, isAny: { $0 == star }, fits: ==)
    }

    /// Whether the parts of a path fit: `*` stands for any characters of one, `**` for any parts.
    package static func matches(parts pattern: [[UInt8]], _ path: [[UInt8]]) -> Bool {
        matches(pattern, path, isAny: { $0 == anyParts }, fits: { matches($0, $1) })
    }

    /// In time of at most pattern times text, whatever stands in them: only the last wildcard met
    /// is ever tried again.
    private static func matches<Part, Element>(
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
