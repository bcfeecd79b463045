/// A range of IP addresses in CIDR form, such as `10.0.0.0/8` or `fd00::/8`.
package struct Network: Hashable, Sendable, CustomStringConvertible {
    /// The first address of the range.
    package let address: IPAddress
    /// How many leading bits are fixed.
    package let prefixLength: Int

    /// Parses `address/length`, or one address alone; host bits must be zero.
    package init?(parsing text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(parsing: first) else { return nil }
        var length = address.bitWidth
        if parts.count == 2 {
            let digits = parts[1]
            guard !digits.isEmpty, digits.utf8.count <= 3,
                digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int(digits),
                value <= address.bitWidth
            else { return nil }
            length = value
        }
        self.init(address, prefixLength: length)
        guard self.address == address else { return nil }
    }

    /// The network of `address`; host bits are cleared.
    init(_ address: IPAddress, prefixLength: Int) {
        self.address = address.masked(to: prefixLength)
        self.prefixLength = prefixLength
    }

    /// Whether `other` lies in this range; never true across IP versions.
    package func contains(_ other: IPAddress) -> Bool {
        other.bitWidth == address.bitWidth && other.masked(to: prefixLength) == address
    }

    package var description: String { "\(address)/\(prefixLength)" }
}
