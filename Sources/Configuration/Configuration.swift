/// Everything the daemon is built from: one immutable value, already validated.
///
/// A value of this type can only be had from `load` or `parse`, so whoever holds one need not check
/// again that names exist, registries are unique or groups end.
package struct Configuration: Sendable, Equatable {
    /// Where content is kept and how much of the disk it may take.
    package var cache: CacheConfiguration
    /// Where clients connect; never empty.
    package var listeners: [ListenerConfiguration]
    /// Certificates for listeners, in the order of the file.
    package var tls: [TLSConfiguration]
    /// Health and metrics, apart from the clients' port.
    package var admin: AdminConfiguration
    /// Every repository in the order of the file; never empty, names unique.
    package var repositories: [RepositoryConfiguration]
    /// Who may do what; nil where everybody may pull and nobody may change anything.
    package var auth: AuthConfiguration?
    /// Bounds on what clients and upstreams may make the daemon hold.
    package var limits: LimitsConfiguration
    /// How many threads do what.
    package var threads: ThreadsConfiguration
    /// What is written to standard error.
    package var log: LogConfiguration
    /// The file this came from; nil for the built-in configuration.
    package var source: String?
    /// Odd but valid things, to be logged at each start and reload (TLS-1).
    package var warnings: [Diagnostic]

    /// The repository of that name, if there is one.
    package func repository(named name: String) -> RepositoryConfiguration? {
        repositories.first { $0.name == name }
    }

    /// The proxy of the registry people write in image names; `registry` must be normalised.
    package func proxy(ofRegistry registry: String) -> RepositoryConfiguration? {
        repositories.first { $0.proxy?.registry == registry }
    }
}
