/// What a token is asked for: `repository:NAME:pull,push`, or `registry:catalog:*` for the list of
/// names (distribution, "Token Scope").
package struct TokenScope: Hashable, Sendable {
    /// What a scope is about.
    package enum Kind: Hashable, Sendable {
        case repository, catalog
    }

    private static let bytesMax = 512
    package static let catalog = TokenScope(.catalog, name: "catalog", actions: [])

    package let kind: Kind
    /// The name as the client has it.
    package let name: String
    /// Empty for all, `*`.
    package let actions: Set<Action>

    private init(_ kind: Kind, name: String, actions: Set<Action>) {
        self.kind = kind
        self.name = name
        self.actions = actions
    }

    /// Reads one; nil for other types than these, and for nonsense.
    ///
    /// The name may hold colons: the type ends at the first and the actions begin behind the last.
    package init?(parsing text: some StringProtocol) {
        if text == Self.catalog.text {
            self = Self.catalog
            return
        }
        guard text.utf8.count <= Self.bytesMax, let first = text.firstIndex(of: ":"),
            let last = text.lastIndex(of: ":"), first < last, text[..<first] == "repository"
        else { return nil }
        let name = String(text[text.index(after: first)..<last])
        let words = text[text.index(after: last)...].split(separator: ",")
        guard !name.isEmpty, !words.isEmpty, name.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else { return nil }
        let known = words.compactMap { Action(rawValue: String($0)) }
        guard !known.isEmpty || words.contains("*") else { return nil }
        self.init(.repository, name: name, actions: words.contains("*") ? [] : Set(known))
    }

    package func covers(_ action: Action, ofAnyOf names: [String]) -> Bool {
        kind == .repository && (actions.isEmpty || actions.contains(action))
            && names.contains(name)
    }

    /// As it is written.
    package var text: String {
        guard kind == .repository else { return "registry:catalog:*" }
        let words = Action.allCases.filter { actions.contains($0) }.map(\.rawValue)
        return "repository:\(name):\(words.isEmpty ? "*" : words.joined(separator: ","))"
    }
}
