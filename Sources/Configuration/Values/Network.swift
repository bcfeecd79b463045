/// A network in CIDR form, such as `10.0.0.0/8`.
package struct Network: Hashable, Sendable, CustomStringConvertible {
    /// The first address; all bits after the prefix are zero.
    package let address: IPAddress
    /// How many leading bits all its addresses share.
    package let prefixLength: Int

    /// Reads an address with `/prefix`; without one it is a network of one address.
    ///
    /// Bits after the prefix must be 0: a slip there would allow more than was meant.
    package init?(parsing text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let address = IPAddress(parsing: parts[0]) else {
            return nil
        }
        let width = address.bytes.count * 8
        var prefix = width
        if parts.count == 2 {
            guard parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy({ (48...57).contains($0) }),
                let written = Int(parts[1]), written <= width
            else { return nil }
            prefix = written
        }
        guard Self.masked(address.bytes, prefix) == address.bytes else { return nil }
        self.address = address
        self.prefixLength = prefix
    }

    /// Whether the address lies in this network; families never match each other.
    package func contains(_ other: IPAddress) -> Bool {
        other.bytes.count == address.bytes.count
            && Self.masked(other.bytes, prefixLength) == address.bytes
    }

    package var description: String { "\(address)/\(prefixLength)" }

    private static func masked(_ bytes: [UInt8], _ prefix: Int) -> [UInt8] {
        bytes.enumerated().map { index, byte in
            let kept = min(max(prefix - index * 8, 0), 8)
            return kept == 0 ? 0 : byte & (0xFF << UInt8(8 - kept))
        }
    }
}
