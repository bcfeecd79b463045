/// A bounded JSON parser (SWIFT-2, RES-2).
///
/// It never traps: every byte is read through bounds, recursion ends at `depthMax`, numbers are not
/// converted. Invalid UTF-8 and lone surrogates in strings become U+FFFD as in Go's reader, which
/// is what the clients use; the bytes themselves are never written again, so nothing is lost by it.
struct JSONReader {
    private let bytes: [UInt8]
    private let limits: JSONLimits
    private var index = 0
    private var values = 0

    /// Objects with more members than this are checked for duplicates through a set.
    private static let linearDuplicateSearchMax = 8

    static func read(_ bytes: [UInt8], limits: JSONLimits) throws(JSONError) -> JSONValue {
        guard bytes.count <= limits.bytesMax else { throw .tooLarge }
        var reader = JSONReader(bytes: bytes, limits: limits)
        reader.skipBlanks()
        let value = try reader.value(depth: 0)
        reader.skipBlanks()
        guard reader.index == bytes.count else { throw reader.syntaxError }
        return value
    }

    private init(bytes: [UInt8], limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    private var syntaxError: JSONError { .syntax(offset: index) }

    private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipBlanks() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0a, 0x0d: index += 1
            default: return
            }
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        index += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        values += 1
        guard values <= limits.valuesMax else { throw .tooManyValues }
        switch current {
        case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func literal(
        _ text: StaticString, _ value: JSONValue
    ) throws(JSONError) -> JSONValue {
        for offset in 0..<text.utf8CodeUnitCount {
            guard take(text.utf8Start[offset]) else { throw syntaxError }
        }
        return value
    }

    private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
        guard depth <= limits.depthMax else { throw .tooDeep }
        index += 1
        skipBlanks()
        if take(UInt8(ascii: "]")) { return [] }
        var elements: [JSONValue] = []
        while true {
            skipBlanks()
            elements.append(try value(depth: depth))
            skipBlanks()
            if take(UInt8(ascii: "]")) { return elements }
            guard take(UInt8(ascii: ",")) else { throw syntaxError }
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> [JSONMember] {
        guard depth <= limits.depthMax else { throw .tooDeep }
        index += 1
        skipBlanks()
        if take(UInt8(ascii: "}")) { return [] }
        var members: [JSONMember] = []
        while true {
            skipBlanks()
            guard current == UInt8(ascii: "\"") else { throw syntaxError }
            let key = try string()
            skipBlanks()
            guard take(UInt8(ascii: ":")) else { throw syntaxError }
            skipBlanks()
            members.append(JSONMember(key: key, value: try value(depth: depth)))
            skipBlanks()
            if take(UInt8(ascii: "}")) { break }
            guard take(UInt8(ascii: ",")) else { throw syntaxError }
        }
        guard !Self.hasDuplicates(members) else { throw .duplicateKey }
        return members
    }

    /// Compares bytes, since Swift's strings call differently composed characters equal.
    private static func hasDuplicates(_ members: [JSONMember]) -> Bool {
        guard members.count > linearDuplicateSearchMax else {
            for (position, member) in members.enumerated() {
                for other in members[..<position]
                where other.key.utf8.elementsEqual(member.key.utf8) {
                    return true
                }
            }
            return false
        }
        var seen = Set<[UInt8]>(minimumCapacity: members.count)
        return members.contains { !seen.insert(Array($0.key.utf8)).inserted }
    }
}

// MARK: - Numbers

extension JSONReader {
    /// `-? (0 | [1-9][0-9]*) (\.[0-9]+)? ([eE][+-]?[0-9]+)?`, returned as written.
    private mutating func number() throws(JSONError) -> String {
        let start = index
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private mutating func digits() throws(JSONError) {
        let start = index
        while let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            index += 1
        }
        guard index > start else { throw syntaxError }
    }
}

// MARK: - Strings

extension JSONReader {
    private mutating func string() throws(JSONError) -> String {
        index += 1
        let start = index
        // Nearly every string has no escape and is taken in one piece.
        while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
            guard byte >= 0x20 else { throw syntaxError }
            index += 1
        }
        guard current == UInt8(ascii: "\\") else {
            guard current != nil else { throw syntaxError }
            index += 1
            return String(decoding: bytes[start..<(index - 1)], as: UTF8.self)
        }
        return try escapedString(from: start)
    }

    private mutating func escapedString(from start: Int) throws(JSONError) -> String {
        var text = Array(bytes[start..<index])
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                index += 1
                text.append(contentsOf: UTF8.encode(try escape()).map { Array($0) } ?? [])
            case 0..<0x20:
                throw syntaxError
            default:
                text.append(byte)
                index += 1
            }
        }
        throw syntaxError
    }

    private mutating func escape() throws(JSONError) -> Unicode.Scalar {
        guard let byte = current else { throw syntaxError }
        guard byte != UInt8(ascii: "u") else {
            index += 1
            return try unicodeEscape()
        }
        let scalar: Unicode.Scalar
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            scalar = Unicode.Scalar(byte)
        case UInt8(ascii: "b"): scalar = "\u{8}"
        case UInt8(ascii: "f"): scalar = "\u{c}"
        case UInt8(ascii: "n"): scalar = "\n"
        case UInt8(ascii: "r"): scalar = "\r"
        case UInt8(ascii: "t"): scalar = "\t"
        default: throw syntaxError
        }
        index += 1
        return scalar
    }

    private mutating func unicodeEscape() throws(JSONError) -> Unicode.Scalar {
        let first = try hexadecimalUnit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        // A high surrogate counts only together with the low one behind it.
        guard (0xd800..<0xdc00).contains(first), index + 1 < bytes.count,
            bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u")
        else { return "\u{fffd}" }
        let resume = index
        index += 2
        let second = try hexadecimalUnit()
        guard (0xdc00..<0xe000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
        else {
            index = resume
            return "\u{fffd}"
        }
        return scalar
    }

    private mutating func hexadecimalUnit() throws(JSONError) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current else { throw syntaxError }
            let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(byte)
            let value = Hex.value(isUpper ? byte | 0x20 : byte)
            guard value < 16 else { throw syntaxError }
            unit = (unit << 4) | UInt32(value)
            index += 1
        }
        return unit
    }
}
