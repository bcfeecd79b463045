/// What a token is asked for: `repository:NAME:pull,push` (distribution, "Token Scope").
package struct TokenScope: Hashable, Sendable {
    private static let bytesMax = 512

    /// The name as the client has it.
    package let name: String
    /// Empty for all, `*`.
    package let actions: Set<Action>

    /// Reads one; nil for other types than repositories, and for nonsense.
    ///
    /// The name may hold colons: the type ends at the first and the actions begin behind the last.
    package init?(parsing text: some StringProtocol) {
        guard text.utf8.count <= Self.bytesMax, let first = text.firstIndex(of: ":"),
            let last = text.lastIndex(of: ":"), first < last, text[..<first] == "repository"
        else { return nil }
        name = String(text[text.index(after: first)..<last])
        let words = text[text.index(after: last)...].split(separator: ",")
        guard !name.isEmpty, !words.isEmpty, name.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else { return nil }
        let known = words.compactMap { Action(rawValue: String($0)) }
        guard !known.isEmpty || words.contains("*") else { return nil }
        actions = words.contains("*") ? [] : Set(known)
    }

    package func covers(_ action: Action, ofAnyOf names: [String]) -> Bool {
        (actions.isEmpty || actions.contains(action)) && names.contains(name)
    }

    /// As it is written.
    package var text: String {
        let words = Action.allCases.filter { actions.contains($0) }.map(\.rawValue)
        return "repository:\(name):\(words.isEmpty ? "*" : words.joined(separator: ","))"
    }
}
