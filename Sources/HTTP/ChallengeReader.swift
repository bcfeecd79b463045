/// Reads one WWW-Authenticate line.
///
/// The grammar is ambiguous until one looks ahead: after a comma, `token =` goes on with the
/// challenge and `token SP` or a lone token begins the next one.
struct ChallengeReader {
    private let bytes: [UInt8]
    private var index = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

    mutating func challenges() -> [Challenge] {
        var found: [Challenge] = []
        skipSeparators()
        while let scheme = token() {
            let (challenge, isComplete) = rest(of: scheme.lowercased())
            if let challenge { found.append(challenge) }
            guard isComplete else { break }
            skipSeparators()
        }
        return found
    }

    /// Reads what belongs to a scheme; not complete if the line goes on with what is no challenge.
    private mutating func rest(of scheme: String) -> (challenge: Challenge?, isComplete: Bool) {
        var parameters: [Challenge.Parameter] = []
        // `Negotiate, Bearer realm=…`: nothing belongs to the first.
        guard current == UInt8(ascii: " ") else {
            let ends = current == nil || current == UInt8(ascii: ",")
            return (ends ? Challenge(scheme: scheme, parameters: [], token: nil) : nil, ends)
        }
        skipBlanks()
        if let token = token68() {
            return (Challenge(scheme: scheme, parameters: [], token: token), true)
        }
        while true {
            let mark = index
            skipSeparators()
            guard let name = token() else { break }
            let nameEnd = index
            skipBlanks()
            guard current == UInt8(ascii: "=") else {
                // The name is the next scheme; a scheme must follow a comma.
                index = mark
                let follows =
                    parameters.isEmpty || bytes[mark..<nameEnd].contains(UInt8(ascii: ","))
                return (Challenge(scheme: scheme, parameters: parameters, token: nil), follows)
            }
            index += 1
            skipBlanks()
            guard let value = quotedString() ?? token() else {
                return (nil, false)
            }
            parameters.append(Challenge.Parameter(name: name.lowercased(), value: value))
            skipBlanks()
            guard current == nil || current == UInt8(ascii: ",") else { return (nil, false) }
        }
        return (Challenge(scheme: scheme, parameters: parameters, token: nil), index == bytes.count)
    }

    private mutating func skipBlanks() {
        while let byte = current, Bytes.isBlank(byte) { index += 1 }
    }

    private mutating func skipSeparators() {
        while let byte = current, Bytes.isBlank(byte) || byte == UInt8(ascii: ",") { index += 1 }
    }

    private mutating func token() -> String? {
        let start = index
        while let byte = current, Bytes.isToken(byte) { index += 1 }
        guard index > start else { return nil }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    /// `abc+/==` up to the end or a comma; nothing is consumed if it is something else.
    private mutating func token68() -> String? {
        let start = index
        while let byte = current, Bytes.isToken(byte) || byte == UInt8(ascii: "/") { index += 1 }
        let hasText = index > start
        while current == UInt8(ascii: "=") { index += 1 }
        let end = index
        skipBlanks()
        guard hasText, current == nil || current == UInt8(ascii: ",") else {
            index = start
            return nil
        }
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    /// A quoted string with its escapes taken off; nothing if it does not end.
    private mutating func quotedString() -> String? {
        guard current == UInt8(ascii: "\"") else { return nil }
        index += 1
        var text: [UInt8] = []
        while let byte = current {
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let escaped = current else { return nil }
                index += 1
                text.append(escaped)
            default:
                text.append(byte)
            }
        }
        return nil
    }
}
