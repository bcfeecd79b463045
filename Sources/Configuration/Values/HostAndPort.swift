import Linux

/// `host` or `host:port`, as registries are named and URLs begin.
struct HostAndPort: Hashable, Sendable {
    /// Lower case; IPv6 in brackets.
    let host: String
    /// The port if one is written.
    let port: UInt16?

    /// Reads a DNS name (RFC 1123 letters, digits, hyphens) or a numeric address.
    init?(parsing text: some StringProtocol) {
        let text = text.lowercased()
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]"),
                let address = IPAddress(parsing: text[text.index(after: text.startIndex)..<end]),
                address.isIPv6
            else { return nil }
            self.init(host: address.authorityText, portText: text[text.index(after: end)...])
            return
        }
        let colon = text.firstIndex(of: ":") ?? text.endIndex
        guard Self.isName(text[..<colon]) else { return nil }
        self.init(host: String(text[..<colon]), portText: text[colon...])
    }

    private init?(host: String, portText: Substring) {
        self.host = host
        guard !portText.isEmpty else {
            port = nil
            return
        }
        let digits = portText.dropFirst()
        guard portText.hasPrefix(":"), (1...5).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits)
        else { return nil }
        self.port = port
    }

    private static func isName(_ text: Substring) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        // A last label of digits alone is a (possibly malformed) IPv4 address, never a DNS name.
        if let last = labels.last, last.utf8.allSatisfy({ (48...57).contains($0) }) {
            return IPAddress(parsing: text) != nil
        }
        return labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.utf8.allSatisfy {
                    (48...57).contains($0) || (97...122).contains($0) || $0 == 45
                }
        }
    }
}
