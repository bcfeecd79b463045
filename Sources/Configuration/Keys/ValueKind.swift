/// A type of value: how it is read from TOML and what is said when that fails.
struct ValueKind<Value: Sendable>: Sendable {
    /// What it takes, in words: "a size such as …".
    let expected: String
    let shape: ValueShape
    /// Returns nil when the value is wrong, after saying so.
    let read: @Sendable (_ node: TOMLNode, _ key: String, inout Problems) -> Value?
}

extension ValueKind {
    /// A kind written as a string; `parse` returns the value or what is wrong with the text.
    static func text(
        _ expected: String, code: String = "bad-value",
        _ parse: @escaping @Sendable (String) -> Parsed<Value>
    ) -> ValueKind {
        ValueKind(expected: expected, shape: .string) { node, key, problems in
            guard case .string(let text) = node.content else {
                problems.wrongType(of: key, expected: expected, node)
                return nil
            }
            switch parse(text) {
            case .value(let value): return value
            case .wrong(let why, let help):
                problems.error(code, "\(key) \(why)", at: node.place, help: help)
                return nil
            }
        }
    }
}

/// What became of a text.
enum Parsed<Value> {
    case value(Value)
    /// Why not, as the end of a sentence that begins with the key, and what to write instead.
    case wrong(String, help: String?)
}

extension Problems {
    /// Notes a value of the wrong TOML type.
    mutating func wrongType(of key: String, expected: String, _ node: TOMLNode) {
        error(
            "bad-type", "\(key) takes \(expected), not \(node.typeName)", at: node.place,
            help: bareNumberHelp(expected, node))
    }

    private func bareNumberHelp(_ expected: String, _ node: TOMLNode) -> String? {
        // A variable or flag has no quotes to leave out.
        guard case .string = node.content, node.place?.source.isNumbered == true else { return nil }
        return expected.hasPrefix("a number") || expected.hasPrefix("true")
            ? "write it without quotes" : nil
    }
}
