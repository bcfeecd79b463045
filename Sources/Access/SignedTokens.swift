import Reactor

/// Tokens of the Bearer flow: what they say, and a keyed hash over it that only this process makes.
///
/// Nothing is kept of them, so nobody can fill anything by asking. They say who, and not what that
/// one may: rights are decided at each request. With the user, or the password, the token ends.
struct SignedTokens: Sendable {
    /// What a token says.
    struct Content: Equatable {
        var expires: Instant
        var holder: Holder
        /// Of what the holder proved who it is with; other bytes once that has changed.
        var proof: [UInt8]
        var scopes: [TokenScope]
    }

    /// Who, by name.
    enum Holder: Equatable {
        case anonymous
        case user(String)
        case robot(String)
    }

    /// Other tokens than these are not even looked at.
    private static let bytesMax = 8 << 10
    private static let proofBytes = 16
    private static let separator: Character = "\n"

    let keyed: KeyedHash

    /// What stands for a stored secret in tokens that were given for it.
    func proof(_ secret: [UInt8]) -> [UInt8] {
        Array(keyed.hash("proof", secret).prefix(Self.proofBytes))
    }

    func token(_ content: Content) -> String {
        let (kind, name) =
            switch content.holder {
            case .anonymous: ("anonymous", "")
            case .user(let name): ("user", name)
            case .robot(let id): ("robot", id)
            }
        let lines =
            [String(content.expires.nanoseconds), kind, name, BinaryText.hex(content.proof)]
            + content.scopes.map(\.text)
        let text = Array(lines.joined(separator: "\n").utf8)
        return BinaryText.base64(keyed.hash("token", text) + text)
    }

    /// What a token says; nil unless this process made it, or once it has expired.
    func content(of token: String, at now: Instant) -> Content? {
        guard token.utf8.count <= Self.bytesMax, let bytes = BinaryText.bytes(base64: token),
            bytes.count > KeyedHash.byteCount
        else { return nil }
        let text = Array(bytes[KeyedHash.byteCount...])
        guard
            ConstantTime.areEqual(
                Array(bytes[..<KeyedHash.byteCount]), keyed.hash("token", text))
        else { return nil }
        let lines = String(decoding: text, as: UTF8.self)
            .split(separator: Self.separator, omittingEmptySubsequences: false)
        guard lines.count >= 4, let nanoseconds = Int64(lines[0]),
            Instant(nanoseconds: nanoseconds) > now, let proof = BinaryText.bytes(hex: lines[3])
        else { return nil }
        let holder: Holder
        switch lines[1] {
        case "anonymous": holder = .anonymous
        case "user": holder = .user(String(lines[2]))
        case "robot": holder = .robot(String(lines[2]))
        default: return nil
        }
        return Content(
            expires: Instant(nanoseconds: nanoseconds), holder: holder, proof: proof,
            scopes: lines[4...].compactMap { TokenScope(parsing: $0) })
    }
}
