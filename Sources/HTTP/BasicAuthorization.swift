/// A client's `Authorization: Basic …` (RFC 7617), as bytes that nobody looks into.
package struct BasicAuthorization: Sendable {
    /// What an `Authorization` header amounts to.
    package enum Reading: Sendable {
        /// There is none, or one that names nobody, as podman sends without a login.
        case none
        case login(BasicAuthorization)
        /// Another scheme, or no base64.
        case unusable
    }

    /// The longest value that is read.
    private static let bytesMax = 8 << 10

    package let username: [UInt8]
    package let password: [UInt8]

    /// A login that came another way.
    package init(username: [UInt8], password: [UInt8]) {
        self.username = username
        self.password = password
    }

    /// Reads the values of all `Authorization` fields of a request.
    package static func read(_ values: [String]) -> Reading {
        guard let value = values.first else { return .none }
        guard values.count == 1, value.utf8.count <= bytesMax else { return .unusable }
        let parts = value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "basic",
            let bytes = decode(Bytes.trimmed(parts[1])),
            let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
            !bytes.contains(where: { $0 < 0x20 || $0 == 0x7f })
        else { return .unusable }
        let login = BasicAuthorization(
            username: Array(bytes[..<colon]), password: Array(bytes[(colon + 1)...]))
        return login.username.isEmpty ? .none : .login(login)
    }

    /// Base64 with or without its padding; nil for anything else.
    private static func decode(_ text: Substring) -> [UInt8]? {
        var digits = text.utf8[...]
        var padding = 0
        while digits.last == UInt8(ascii: "="), padding < 2 {
            digits.removeLast()
            padding += 1
        }
        guard digits.count % 4 != 1, padding == 0 || (digits.count + padding) % 4 == 0 else {
            return nil
        }
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var held = 0
        for digit in digits {
            guard let value = value(of: digit) else { return nil }
            bits = (bits << 6 | value) & 0xfff
            held += 6
            if held >= 8 {
                held -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
            }
        }
        return bytes
    }

    private static func value(of digit: UInt8) -> UInt32? {
        switch digit {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(digit - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(digit - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(digit - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}

extension BasicAuthorization: CustomStringConvertible, CustomReflectable {
    /// Never what it holds (CRED-6).
    package var description: String { "a login" }

    package var customMirror: Mirror { Mirror(self, children: []) }
}
