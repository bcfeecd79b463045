/// The byte classes of HTTP, and eight bytes at a time where it pays.
///
/// SIMD types are not used on purpose: their reductions compile to scalar loops (prototypes.md §2).
enum Bytes {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highs: UInt64 = 0x8080_8080_8080_8080

    /// The index of the first `byte` at or after `start`, or `bytes.count`.
    static func index(of byte: UInt8, in bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        let pattern = ones &* UInt64(byte)
        var index = start
        let raw = bytes.bytes
        while index &+ 8 <= end {
            let word =
                UInt64(
                    littleEndian: raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
                ^ pattern
            // The lowest set bit is exact: borrows of this trick only reach bytes above a true
            // zero.
            let zeros = (word &- ones) & ~word & highs
            if zeros != 0 { return index &+ (zeros.trailingZeroBitCount &>> 3) }
            index &+= 8
        }
        while index < end, bytes[index] != byte { index &+= 1 }
        return index
    }

    /// Whether a field value has a control byte other than the tab (RFC 9110 §5.5).
    static func hasControl(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Bool {
        var index = start
        let raw = bytes.bytes
        while index &+ 8 <= end {
            let word = raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            let deletes = word ^ (ones &* 0x7f)
            let suspects =
                ((word &- ones &* 0x20) & ~word & highs) | ((deletes &- ones) & ~deletes & highs)
            if suspects != 0 {
                // Borrows may name bytes that are innocent, and the tab is: look at each.
                for offset in index..<(index &+ 8) where isControl(bytes[offset]) { return true }
            }
            index &+= 8
        }
        while index < end {
            if isControl(bytes[index]) { return true }
            index &+= 1
        }
        return false
    }

    /// A control byte other than the tab.
    static func isControl(_ byte: UInt8) -> Bool {
        (byte < 0x20 && byte != 0x09) || byte == 0x7f
    }

    /// Space or tab: optional white space (RFC 9110 §5.6.3).
    static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09
    }

    static func isDigit(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10
    }

    /// A character of a token: names, methods (RFC 9110 §5.6.2).
    static func isToken(_ byte: UInt8) -> Bool {
        guard byte < 0x80 else { return false }
        let word = byte < 0x40 ? tokenLow : tokenHigh
        return (word &>> UInt64(byte & 0x3f)) & 1 == 1
    }

    /// Whether all bytes make one token; none make none.
    static func isToken(_ bytes: Span<UInt8>) -> Bool {
        var index = 0
        while index < bytes.count, isToken(bytes[index]) { index &+= 1 }
        return index == bytes.count && index > 0
    }

    static func isToken(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { isToken($0) }
    }

    // One bit per character below and from 0x40: ! # $ % & ' * + - . 0-9, and A-Z ^ _ ` a-z | ~.
    private static let tokenLow: UInt64 = 0x03ff_6cfa_0000_0000
    private static let tokenHigh: UInt64 = 0x57ff_ffff_c7ff_fffe

    /// ASCII letters in lower case, everything else as it is.
    static func lowered(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    /// The value of a hexadecimal digit of either case, or 255.
    static func hexValue(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte &- UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte &- UInt8(ascii: "a") &+ 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte &- UInt8(ascii: "A") &+ 10
        default: 255
        }
    }

    /// Whether two texts are the same but for the case of ASCII letters.
    static func equalIgnoringCase(_ left: some StringProtocol, _ right: some StringProtocol) -> Bool
    {
        left.utf8.count == right.utf8.count
            && zip(left.utf8, right.utf8).allSatisfy { lowered($0) == lowered($1) }
    }

    /// The text without blanks at its ends.
    static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.utf8.first, isBlank(first) { text = text.dropFirst() }
        while let last = text.utf8.last, isBlank(last) { text = text.dropLast() }
        return text
    }
}
