/// `[repositories.NAME]`: one name under which images are pulled.
package struct RepositoryConfiguration: Sendable, Equatable {
    /// The table's name, also the path prefix `/v2/NAME/…`.
    package var name: String
    /// What the repository is made of.
    package var kind: RepositoryKind

    /// The proxy's settings, or nil for another kind.
    package var proxy: ProxyConfiguration? {
        if case .proxy(let proxy) = kind { proxy } else { nil }
    }

    /// The hosted repository's settings, or nil for another kind.
    package var hosted: HostedConfiguration? {
        if case .hosted(let hosted) = kind { hosted } else { nil }
    }

    /// The group's settings, or nil for another kind.
    package var group: GroupConfiguration? {
        if case .group(let group) = kind { group } else { nil }
    }
}

/// The kinds of repository that can be configured.
package enum RepositoryKind: Sendable, Equatable {
    /// One's own, pushed to.
    case hosted(HostedConfiguration)
    /// Another registry, fetched once and kept.
    case proxy(ProxyConfiguration)
    /// Several repositories under one name.
    case group(GroupConfiguration)
}
