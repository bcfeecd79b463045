extension ValueKind where Value == Bool {
    /// `true` or `false`.
    static var boolean: ValueKind<Bool> {
        ValueKind(expected: "true or false", shape: .toml) { node, key, problems in
            guard case .boolean(let value) = node.content else {
                problems.wrongType(of: key, expected: "true or false", node)
                return nil
            }
            return value
        }
    }

    /// `"on"` or `"off"`.
    static var onOrOff: ValueKind<Bool> {
        .text("\"on\" or \"off\"") { text in
            switch text {
            case "on": .value(true)
            case "off": .value(false)
            default: .wrong("is \"on\" or \"off\", not \"\(Quoted.of(text))\"", help: nil)
            }
        }
    }
}

extension ValueKind where Value == Int {
    /// A whole number within bounds.
    static func integer(_ range: ClosedRange<Int>) -> ValueKind<Int> {
        let expected = "a number from \(range.lowerBound) to \(range.upperBound)"
        return ValueKind(expected: expected, shape: .toml) { node, key, problems in
            guard case .integer(let value) = node.content else {
                problems.wrongType(of: key, expected: expected, node)
                return nil
            }
            guard let value = Int(exactly: value), range.contains(value) else {
                problems.error(
                    "bad-value", "\(key) takes \(expected)", at: node.place)
                return nil
            }
            return value
        }
    }
}

extension ValueKind where Value == String {
    /// Any text without control characters, not empty.
    static func word(_ expected: String) -> ValueKind<String> {
        .text(expected) { text in
            guard !text.isEmpty else { return .wrong("is empty", help: nil) }
            guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
                return .wrong("holds a control character", help: nil)
            }
            return .value(text)
        }
    }

    /// A path that does not depend on where the daemon was started.
    static var absolutePath: ValueKind<String> {
        .text("an absolute path") { text in
            guard text.hasPrefix("/"), !text.utf8.contains(0) else {
                return .wrong("takes an absolute path", help: "begin it with /")
            }
            return .value(text)
        }
    }
}

extension ValueKind where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of a closed set of words.
    static var choice: ValueKind<Value> {
        let words = Value.allCases.map(\.rawValue)
        let expected = "one of " + words.map { "\"\($0)\"" }.joined(separator: ", ")
        return .text(expected) { text in
            if let value = Value(rawValue: text) { return .value(value) }
            let near = Suggestion.nearest(to: text, among: words)
            return .wrong(
                "takes \(expected), not \"\(Quoted.of(text))\"",
                help: near.map { "did you mean \"\($0)\"?" })
        }
    }
}

extension ValueKind {
    /// A list of values of one kind; `isEmptyAllowed` tells whether it may hold none.
    static func list<Element: Sendable>(
        _ element: ValueKind<Element>, of expected: String
    ) -> ValueKind<[Located<Element>]> where Value == [Located<Element>] {
        let expected = "a list of \(expected)"
        return ValueKind(expected: expected, shape: .toml) { node, key, problems in
            guard case .array(let nodes) = node.content else {
                problems.wrongType(of: key, expected: expected, node)
                return nil
            }
            let values = nodes.map { item in
                element.read(item, key, &problems).map { Located(value: $0, place: item.place) }
            }
            let good = values.compactMap(\.self)
            return good.count == nodes.count ? good : nil
        }
    }
}

extension ValueKind where Value == [Located<String>] {
    /// A word, or a list of words.
    static func oneOrMore(_ expected: String) -> ValueKind<[Located<String>]> {
        ValueKind(expected: expected, shape: .toml) { node, key, problems in
            switch node.content {
            case .string:
                return ValueKind<String>.word(expected).read(node, key, &problems).map {
                    [Located(value: $0, place: node.place)]
                }
            case .array:
                return ValueKind.list(ValueKind<String>.word(expected), of: "names")
                    .read(node, key, &problems)
            default:
                problems.wrongType(of: key, expected: expected, node)
                return nil
            }
        }
    }
}

/// A value with the place it stands at.
struct Located<Value: Sendable>: Sendable {
    let value: Value
    let place: Place?
}
