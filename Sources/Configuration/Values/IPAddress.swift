/// A numeric IPv4 or IPv6 address.
package struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// 4 or 16 bytes, network order.
    package let bytes: [UInt8]

    package var isIPv6: Bool { bytes.count == 16 }

    /// 127.0.0.0/8, ::1, and 127.0.0.0/8 mapped into IPv6.
    package var isLoopback: Bool {
        guard isIPv6 else { return bytes[0] == 127 }
        if bytes.dropLast().allSatisfy({ $0 == 0 }) { return bytes[15] == 1 }
        return isMappedIPv4 && bytes[12] == 127
    }

    /// Whether it stands for every address of the machine.
    package var isUnspecified: Bool { bytes.allSatisfy { $0 == 0 } }

    /// As it stands in front of `:port`: IPv6 in brackets.
    package var authorityText: String { isIPv6 ? "[\(description)]" : description }

    private var isMappedIPv4: Bool {
        isIPv6 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
    }

    /// Reads dotted decimal (four parts, no leading zeros) or RFC 4291 text without zone.
    package init?(parsing text: some StringProtocol) {
        let text = String(text)
        guard let bytes = text.contains(":") ? Self.parseIPv6(text) : Self.parseIPv4(text) else {
            return nil
        }
        self.bytes = bytes
    }

    package var description: String {
        guard isIPv6 else { return bytes.map(String.init).joined(separator: ".") }
        if isMappedIPv4 {
            return "::ffff:" + bytes[12...].map(String.init).joined(separator: ".")
        }
        let groups = stride(from: 0, to: 16, by: 2).map {
            UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1])
        }
        return Self.compressed(groups)
    }
}

extension IPAddress {
    private static func parseIPv4(_ text: String) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard !part.isEmpty, part.utf8.allSatisfy({ (48...57).contains($0) }),
                part == "0" || !part.hasPrefix("0"), let byte = UInt8(part)
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func parseIPv6(_ text: String) -> [UInt8]? {
        guard text.utf8.count <= 45 else { return nil }
        guard let gap = firstGap(text) else {
            guard let bytes = parseGroups(text[...]), bytes.count == 16 else { return nil }
            return bytes
        }
        let head = text[..<gap]
        let tail = text[text.index(gap, offsetBy: 2)...]
        guard !tail.hasPrefix(":"),
            let front = head.isEmpty ? [] : parseGroups(head, mayEndInIPv4: false),
            let back = tail.isEmpty ? [] : parseGroups(tail),
            front.count + back.count <= 14
        else { return nil }
        return front + [UInt8](repeating: 0, count: 16 - front.count - back.count) + back
    }

    /// Where `::` begins.
    private static func firstGap(_ text: String) -> String.Index? {
        zip(text.indices, text.indices.dropFirst())
            .first { text[$0] == ":" && text[$1] == ":" }?.0
    }

    private static func parseGroups(
        _ text: Substring, mayEndInIPv4: Bool = true
    ) -> [UInt8]? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        var bytes: [UInt8] = []
        for (index, part) in parts.enumerated() {
            if mayEndInIPv4, index == parts.count - 1, part.contains(".") {
                guard let four = parseIPv4(String(part)) else { return nil }
                bytes += four
                continue
            }
            guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy(isHexDigit),
                let group = UInt16(part, radix: 16)
            else { return nil }
            bytes += [UInt8(group >> 8), UInt8(group & 0xFF)]
        }
        return bytes.count <= 16 ? bytes : nil
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...70).contains(byte) || (97...102).contains(byte)
    }

    /// RFC 5952: lower case, the longest run of two or more zero groups as `::`.
    private static func compressed(_ groups: [UInt16]) -> String {
        var best = 0..<0
        var start = 0
        while start < groups.count {
            var end = start
            while end < groups.count, groups[end] == 0 { end += 1 }
            if end - start > max(best.count, 1) { best = start..<end }
            start = max(end, start + 1)
        }
        let text = { (part: ArraySlice<UInt16>) in
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard !best.isEmpty else { return text(groups[...]) }
        return text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
    }
}
