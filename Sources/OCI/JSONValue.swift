/// A JSON document as a tree (RFC 8259).
///
/// Numbers stay text: whoever wants an integer asks for one and gets `nil` for `1.5` or `1e400`,
/// where a decoder would have to round or trap (SWIFT-1).
package enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([JSONMember])

    /// Reads one document; see `JSONReader` for the limits (SWIFT-2).
    package static func parse(
        _ bytes: [UInt8], limits: JSONLimits = JSONLimits()
    ) throws(JSONError) -> JSONValue {
        try JSONReader.read(bytes, limits: limits)
    }

    /// The value of a key of an object; `nil` also for `null`, which writers use for absent.
    package subscript(_ key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        guard let value = members.first(where: { $0.key.utf8.elementsEqual(key.utf8) })?.value,
            value != .null
        else { return nil }
        return value
    }

    package var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    package var array: [JSONValue]? {
        if case .array(let values) = self { values } else { nil }
    }

    package var object: [JSONMember]? {
        if case .object(let members) = self { members } else { nil }
    }

    /// The number if it is written as an integer and fits; neither `1.0` nor `1e3` is one.
    package var integer: Int64? {
        guard case .number(let text) = self else { return nil }
        return Int64(text)
    }
}

/// One key of an object with its value.
package struct JSONMember: Hashable, Sendable {
    package var key: String
    package var value: JSONValue

    package init(key: String, value: JSONValue) {
        self.key = key
        self.value = value
    }
}

/// How much of a document is taken.
package struct JSONLimits: Sendable {
    /// The longest document (RES-2).
    package var bytesMax = 4 << 20
    /// How deep arrays and objects may be nested (SWIFT-2).
    package var depthMax = 64
    /// How many values the tree may have: what bounds memory, since `[0,0,…]` is a value per two
    /// bytes.
    package var valuesMax = 1 << 18

    package init() {}
}

/// Why a document was not taken.
package enum JSONError: Error, Equatable, Sendable {
    case tooLarge
    case tooDeep
    case tooManyValues
    /// The same key twice in one object: two readers could read two things.
    case duplicateKey
    /// Not JSON; the offset of the first byte that does not fit.
    case syntax(offset: Int)
}
