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

    /// The group's settings, or nil for another kind.
    package var group: GroupConfiguration? {
        if case .group(let group) = kind { group } else { nil }
    }
}

/// The kinds of repository that can be configured; `hosted` takes its place here when it works.
package enum RepositoryKind: Sendable, Equatable {
    /// Another registry, fetched once and kept.
    case proxy(ProxyConfiguration)
    /// Several repositories under one name.
    case group(GroupConfiguration)
}
