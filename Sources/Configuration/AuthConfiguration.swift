package import Access

/// `[auth]`: who may do what, and how it is found out who asks.
package struct AuthConfiguration: Sendable, Equatable {
    /// What somebody may who does not say who asks.
    package enum Anonymous: String, Sendable, CaseIterable {
        case none, pull
    }

    package var anonymous: Anonymous
    /// The password file, absolute; nil where only robots' tokens are known.
    package var htpasswd: String?
    /// The file of robots' tokens, absolute.
    package var tokens: String
    /// What people are shown who log in, and the service's name in challenges.
    package var realm: String
    /// Where clients reach this registry, without `/` at the end; nil for the address they use.
    package var url: String?
    package var rules: [AccessRules.Rule]
    /// Users by group.
    package var groups: [String: [String]]

    /// What decides at each request.
    package var accessRules: AccessRules {
        AccessRules(
            anonymousMayPull: anonymous == .pull, takesLogins: true, rules: rules, groups: groups)
    }
}
