import COpenSSL

/// Hashes that only this process can make: HMAC-SHA-256 with a key drawn at its start.
///
/// The key is never written anywhere and comes from no request (AUTH-6).
package struct KeyedHash: Sendable {
    static let byteCount = 32
    private let key: [UInt8]

    package init() {
        key = Randomness.bytes(Self.byteCount)
    }

    /// The hash of the parts, whose borders count, for one purpose.
    func hash(_ purpose: String, _ parts: [UInt8]...) -> [UInt8] {
        var text = Array(purpose.utf8)
        for part in parts {
            text += withUnsafeBytes(of: UInt64(part.count).littleEndian) { Array($0) }
            text += part
        }
        var result = [UInt8](repeating: 0, count: Self.byteCount)
        var length = 0
        let made = EVP_Q_mac(
            nil, "HMAC", nil, "SHA256", nil, key, key.count, text, text.count, &result,
            result.count, &length)
        precondition(made != nil && length == Self.byteCount, "OpenSSL computes HMAC-SHA-256")
        return result
    }
}

/// SHA-256 of what has entropy of its own.
enum SHA256 {
    static func hash(_ bytes: [UInt8]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let made = EVP_Digest(bytes, bytes.count, &result, &length, EVP_sha256(), nil)
        precondition(made == 1 && length == 32, "OpenSSL computes SHA-256")
        return result
    }
}

/// Bytes that nobody can guess.
enum Randomness {
    static func bytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}

/// Comparison in a time that does not tell where two secrets differ (AUTH-9).
enum ConstantTime {
    static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for index in left.indices { difference |= left[index] ^ right[index] }
        return difference == 0
    }
}

/// Binary as text: lower-case hexadecimal, and base64 for URLs without padding (RFC 4648 §5).
enum BinaryText {
    private static let digits = Array("0123456789abcdef".utf8)
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
            as: UTF8.self)
    }

    /// Nil for anything but pairs of lower-case digits.
    static func bytes(hex text: some StringProtocol) -> [UInt8]? {
        let values = text.utf8.map { digits.firstIndex(of: $0) }
        guard values.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: values.count, by: 2) {
            guard let high = values[index], let low = values[index + 1] else { return nil }
            bytes.append(UInt8(high << 4 | low))
        }
        return bytes
    }

    static func base64(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        var (bits, held): (UInt32, Int) = (0, 0)
        for byte in bytes {
            bits = (bits << 8 | UInt32(byte)) & 0xffff
            held += 8
            while held >= 6 {
                held -= 6
                result.append(alphabet[Int(bits >> UInt32(held)) & 0x3f])
            }
        }
        if held > 0 { result.append(alphabet[Int(bits << UInt32(6 - held)) & 0x3f]) }
        return String(decoding: result, as: UTF8.self)
    }

    /// Nil for anything that `base64` does not write.
    static func bytes(base64 text: some StringProtocol) -> [UInt8]? {
        var result: [UInt8] = []
        var (bits, held): (UInt32, Int) = (0, 0)
        for digit in text.utf8 {
            guard let value = alphabet.firstIndex(of: digit) else { return nil }
            bits = (bits << 6 | UInt32(value)) & 0xffff
            held += 6
            if held >= 8 {
                held -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
            }
        }
        return base64(result) == text ? result : nil
    }
}
