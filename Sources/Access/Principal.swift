/// Who asks.
package enum Principal: Hashable, Sendable {
    /// Somebody who did not say.
    case anonymous
    /// A name of the password file, with the right password.
    case user(String)
    /// A robot's token.
    case robot(Robot)

    /// One text for each, to bind things to who made them (AUTH-7).
    package var identifier: String {
        switch self {
        case .anonymous: "anonymous"
        case .user(let name): "user:\(name)"
        case .robot(let robot): "token:\(robot.id)"
        }
    }

    /// Who it is, for logs: a user's name or a robot's number, never what proves it; nil for nobody
    /// in particular.
    package var shown: String? {
        switch self {
        case .anonymous: nil
        case .user(let name): name
        case .robot: identifier
        }
    }
}

/// What the token of a robot is good for: this, and nothing that the rules say of users.
package struct Robot: Hashable, Sendable {
    /// One line of what it may.
    package struct Grant: Hashable, Sendable {
        package let actions: Set<Action>
        package let pattern: AccessPattern

        /// Reads `pull,push:releases/**`; nil if it is nothing of the kind.
        package init?(parsing text: some StringProtocol) {
            guard let colon = text.firstIndex(of: ":") else { return nil }
            let words = text[..<colon].split(separator: ",", omittingEmptySubsequences: false)
            let actions = words.map { Action(rawValue: String($0)) }
            guard !actions.isEmpty, actions.allSatisfy({ $0 != nil }),
                let pattern = AccessPattern(parsing: text[text.index(after: colon)...])
            else { return nil }
            self.actions = Set(actions.compactMap(\.self))
            self.pattern = pattern
        }

        /// As it is written.
        package var text: String {
            let words = Action.allCases.filter { actions.contains($0) }.map(\.rawValue)
            return "\(words.joined(separator: ",")):\(pattern.text)"
        }
    }

    package let id: String
    package let grants: [Grant]

    package init(id: String, grants: [Grant]) {
        self.id = id
        self.grants = grants
    }
}

/// Who asks, and how far the token goes that says so.
package struct Caller: Hashable, Sendable {
    package let principal: Principal
    /// What the token was asked for; nil without such a bound.
    package let scopes: [TokenScope]?

    package init(_ principal: Principal, scopes: [TokenScope]? = nil) {
        self.principal = principal
        self.scopes = scopes
    }

    package static let anonymous = Caller(.anonymous)
}
