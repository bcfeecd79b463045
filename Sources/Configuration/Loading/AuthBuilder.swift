import Access

/// Builds `[auth]`: keys, rules and groups, and what is wrong with the password file.
struct AuthBuilder {
    let reader: SectionReader
    let repositories: [RepositoryConfiguration]
    /// All names written, so that one broken repository brings no second error here.
    let declared: [String]
    let store: String?

    func build(_ problems: inout Problems) -> AuthConfiguration {
        let groups = reader.optional(AuthKeys.groups, &problems) ?? [:]
        let htpasswd = reader.optional(AuthKeys.htpasswd, &problems)
        let rules = (reader.optional(AuthKeys.rule, &problems) ?? []).compactMap { node in
            node.table.flatMap { rule($0, node.place, groups, &problems) }
        }
        if let htpasswd { notePasswords(htpasswd, &problems) }
        noteConflict(&problems)
        return AuthConfiguration(
            anonymous: reader.value(AuthKeys.anonymous, &problems), htpasswd: htpasswd,
            tokens: reader.optional(AuthKeys.tokens, &problems) ?? "\(store ?? "")/tokens",
            realm: reader.value(AuthKeys.realm, &problems),
            url: reader.optional(AuthKeys.url, &problems), rules: rules, groups: groups)
    }

    private func rule(
        _ table: TOMLTable, _ place: Place?, _ groups: [String: [String]],
        _ problems: inout Problems
    ) -> AccessRules.Rule? {
        let reader = SectionReader(section: AuthRuleKeys.section, table: table, place: place)
        reader.noteUnknownKeys(&problems)
        for key in AuthRuleKeys.section.keys where !reader.isWritten(key.name) {
            problems.error(
                "missing-key", "a rule without \(key.name)", at: place, help: key.summary)
        }
        guard let users = reader.optional(AuthRuleKeys.users, &problems),
            let patterns = reader.optional(AuthRuleKeys.repositories, &problems),
            let allow = reader.optional(AuthRuleKeys.allow, &problems)
        else { return nil }
        for user in users where user.value.hasPrefix("@") {
            let group = String(user.value.dropFirst())
            guard groups[group] == nil else { continue }
            let near = Suggestion.nearest(to: group, among: groups.keys.sorted())
            problems.error(
                "unknown-member", "there is no group `\(Quoted.of(group))`", at: user.place,
                label: near.map { "did you mean `@\($0)`?" },
                help: near == nil ? "[auth.groups] says who is in it" : nil)
        }
        for pattern in patterns { noteUnknown(pattern, &problems) }
        return AccessRules.Rule(
            users: users.map(\.value), repositories: patterns.map(\.value),
            allow: Set(allow.map(\.value)))
    }

    /// A pattern whose first part is a name that no repository has is a slip, and protects nothing.
    private func noteUnknown(_ pattern: Located<AccessPattern>, _ problems: inout Problems) {
        let text = pattern.value.text
        let first = String(text.prefix { $0 != "/" })
        guard !first.contains("*"), !declared.contains(first) else { return }
        let near =
            repositories.first { $0.proxy?.registry == first }?.name
            ?? Suggestion.nearest(to: first, among: declared)
        problems.error(
            "unknown-member", "there is no repository `\(Quoted.of(first))`", at: pattern.place,
            label: near.map { "did you mean `\($0)`?" })
    }

    /// One `Authorization` header cannot be for this registry and for the one behind it.
    private func noteConflict(_ problems: inout Problems) {
        let passing = repositories.first { $0.proxy?.authentication == .passthrough }
        guard let passing else { return }
        problems.error(
            "conflict",
            "`\(passing.name)` passes the clients' logins on, and [auth] wants them for itself",
            at: reader.place,
            help: "leave out [auth], or give `\(passing.name)` a username and password")
    }

    /// Lines that would let nobody in are told at once; a file that is not there yet may come.
    private func notePasswords(_ path: String, _ problems: inout Problems) {
        let place = reader.place(of: AuthKeys.htpasswd.name)
        do throws(InputFile.Failure) {
            let bytes = try InputFile.read(path: path, max: PasswordFile.bytesMax)
            for problem in PasswordFile.parse(bytes).problems {
                problems.error(
                    "password-file",
                    "\(Quoted.safe(path)):\(problem.line): "
                        + Quoted.safe(problem.text), at: place)
            }
        } catch {
            problems.warning(
                "password-file", "cannot read \(Quoted.safe(path)): \(error)", at: place,
                help: "no user can log in; cistern user add NAME makes it")
        }
    }
}
