/// Percent-encoding (RFC 3986 §2.1).
package enum PercentEncoding {
    private static let digits: StaticString = "0123456789ABCDEF"

    /// Encodes everything but unreserved characters: fit for one query name or value.
    package static func encode(_ text: String) -> String {
        encode(text, keeping: "")
    }

    /// Encodes everything but unreserved characters and `/ :`: fit for a path of names and digests.
    package static func encodePath(_ text: String) -> String {
        encode(text, keeping: "/:")
    }

    private static func encode(_ text: String, keeping kept: StaticString) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if isUnreserved(byte) || kept.withUTF8Buffer({ $0.contains(byte) }) {
                output.append(byte)
            } else {
                output.append(UInt8(ascii: "%"))
                output.append(digits.utf8Start[Int(byte >> 4)])
                output.append(digits.utf8Start[Int(byte & 15)])
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): true
        default: Bytes.isDigit(byte) || (byte | 0x20) &- UInt8(ascii: "a") < 26
        }
    }

    /// Decodes once; `nil` for an incomplete escape or one whose byte `escaped` does not accept.
    static func decode(
        _ bytes: Span<UInt8>, from start: Int, to end: Int, escaped: (UInt8) -> Bool
    ) -> [UInt8]? {
        var output: [UInt8] = []
        output.reserveCapacity(end - start)
        var index = start
        while index < end {
            guard bytes[index] == UInt8(ascii: "%") else {
                output.append(bytes[index])
                index += 1
                continue
            }
            guard end - index >= 3 else { return nil }
            let high = Bytes.hexValue(bytes[index + 1])
            let low = Bytes.hexValue(bytes[index + 2])
            guard high < 16, low < 16 else { return nil }
            let byte = high << 4 | low
            guard escaped(byte) else { return nil }
            output.append(byte)
            index += 3
        }
        return output
    }
}
