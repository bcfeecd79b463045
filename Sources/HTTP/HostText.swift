/// The rules of a Host value: `name`, `address` or `[address]`, then an optional port.
enum HostText {
    /// The longest host with its port: a DNS name has at most 253 bytes.
    static let bytesMax = 262

    /// Whether the text is one valid authority without user info (RFC 9110 §7.2, HTTP-4).
    static func isValid(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Bool {
        guard start < end, end - start <= bytesMax else { return false }
        var index = start
        if bytes[index] == UInt8(ascii: "[") {
            index += 1
            let first = index
            while index < end, isAddressByte(bytes[index]) { index += 1 }
            guard index > first, index < end, bytes[index] == UInt8(ascii: "]") else {
                return false
            }
            index += 1
        } else {
            let first = index
            while index < end, isNameByte(bytes[index]) { index += 1 }
            guard index > first else { return false }
        }
        return isPort(bytes, from: index, to: end)
    }

    /// Nothing, or a colon and at most five digits that make a port.
    private static func isPort(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Bool {
        guard start < end else { return true }
        guard bytes[start] == UInt8(ascii: ":"), (2...6).contains(end - start) else { return false }
        var port = 0
        for index in (start + 1)..<end {
            guard Bytes.isDigit(bytes[index]) else { return false }
            port = port * 10 + Int(bytes[index] - UInt8(ascii: "0"))
        }
        return port <= 65535
    }

    /// The part before the port, in lower case.
    static func name(of host: String) -> String {
        let bytes = Array(host.utf8)
        let closing = bytes.lastIndex(of: UInt8(ascii: "]")) ?? -1
        let colon = bytes.lastIndex(of: UInt8(ascii: ":")) ?? bytes.count
        let name = bytes[..<(colon > closing ? colon : bytes.count)]
        return String(decoding: name.map(Bytes.lowered), as: UTF8.self)
    }

    /// Letters, digits and `- . _ ~`: the unreserved set; a Host is never percent-encoded by a
    /// client.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): true
        default: Bytes.isDigit(byte) || (byte | 0x20) &- UInt8(ascii: "a") < 26
        }
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".") || Bytes.hexValue(byte) < 16
    }
}
