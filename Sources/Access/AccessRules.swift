import OCI

/// Who may do what: the one place that decides (AUTH-4).
package struct AccessRules: Sendable, Equatable {
    /// One `[[auth.rule]]`.
    package struct Rule: Sendable, Equatable {
        /// Names of users with `*` for any characters, `@group`; `*` alone is everybody.
        package var users: [String]
        package var repositories: [AccessPattern]
        /// Empty to forbid.
        package var allow: Set<Action>

        package init(users: [String], repositories: [AccessPattern], allow: Set<Action>) {
            self.users = users
            self.repositories = repositories
            self.allow = allow
        }
    }

    /// Whether somebody without a login may pull at all; push and delete never.
    package var anonymousMayPull: Bool
    /// Whether logins are understood, so that one could help.
    package var takesLogins: Bool
    /// In order; the first that is about both decides.
    package var rules: [Rule]
    /// Names of users by group.
    package var groups: [String: [String]]

    package init(
        anonymousMayPull: Bool, takesLogins: Bool, rules: [Rule] = [],
        groups: [String: [String]] = [:]
    ) {
        self.anonymousMayPull = anonymousMayPull
        self.takesLogins = takesLogins
        self.rules = rules
        self.groups = groups
    }

    /// Without `[auth]`: everybody may pull, nobody may change anything.
    package static let open = AccessRules(anonymousMayPull: true, takesLogins: false)

    /// Whether `principal` may do this to `name` of `repository`; asked at each request (AUTH-5).
    package func decide(
        _ action: Action, _ repository: String, _ name: some StringProtocol,
        _ principal: Principal
    ) -> Decision {
        switch principal {
        case .anonymous:
            let isAllowed =
                action == .pull && anonymousMayPull
                && (rule(repository, name, for: nil)?.allows(.pull) ?? true)
            return isAllowed ? .allowed : takesLogins ? .loginNeeded : .denied
        case .user(let user):
            let isAllowed =
                rule(repository, name, for: user)?.allows(action) ?? (action == .pull)
            return isAllowed ? .allowed : .denied
        case .robot(let robot):
            let isAllowed = robot.grants.contains { grant in
                (grant.actions.contains(action) || grant.actions.contains(.admin))
                    && grant.pattern.matches(repository, String(name))
            }
            return isAllowed ? .allowed : .denied
        }
    }

    /// The first rule that is about this name and this user; of somebody without a login for nil.
    private func rule(
        _ repository: String, _ name: some StringProtocol, for user: String?
    ) -> Rule? {
        if rules.isEmpty { return nil }
        let name = String(name)
        return rules.first { rule in
            rule.users.contains { isAbout($0, user) }
                && rule.repositories.contains { $0.matches(repository, name) }
        }
    }

    private func isAbout(_ pattern: String, _ user: String?) -> Bool {
        if pattern == "*" { return true }
        guard let user else { return false }
        if pattern.hasPrefix("@") {
            return groups[String(pattern.dropFirst())]?.contains(user) ?? false
        }
        return Wildcards.matches(Array(pattern.utf8), Array(user.utf8))
    }
}

extension AccessRules.Rule {
    fileprivate func allows(_ action: Action) -> Bool {
        allow.contains(action) || allow.contains(.admin)
    }
}
