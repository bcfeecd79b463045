/// What is in force about who may: rules, and how it is found out who asks.
package struct AccessControl: Sendable {
    package let rules: AccessRules
    /// Nil where no logins are understood.
    package let authenticator: Authenticator?
    /// What clients show to people who log in, and the service's name in challenges.
    package let realm: String
    /// Where clients reach this registry; nil for the address they use.
    package let url: String?

    package init(
        rules: AccessRules, authenticator: Authenticator?, realm: String, url: String?
    ) {
        self.rules = rules
        self.authenticator = authenticator
        self.realm = realm
        self.url = url
    }

    /// Without `[auth]`.
    package static let open = AccessControl(
        rules: .open, authenticator: nil, realm: "Cistern", url: nil)
}
