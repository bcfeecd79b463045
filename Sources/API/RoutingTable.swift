import OCI
package import Registry

/// How requests find their repository: the configured repositories, and what each listener serves.
///
/// A closed world: `ns`, paths and listeners only choose among configured repositories; nothing in
/// a request is ever dialled (SSRF-4).
package struct RoutingTable: Sendable {
    /// A way a listener's requests may name their repository; the first that fits wins.
    package enum Way: Sendable {
        /// containerd's `?ns=docker.io`.
        case namespace
        /// `/v2/docker.io/…`, `/v2/<repository>/…` and `/<repository>/v2/…`.
        case path
        /// Anything else goes to the listener's own repository.
        case root
    }

    /// What one listener serves.
    package struct Listener: Sendable {
        package var ways: [Way]
        /// The repository of requests that name none.
        package var repository: String?

        package init(ways: [Way], repository: String?) {
            self.ways = ways
            self.repository = repository
        }
    }

    /// A repository and the image name within it.
    package struct Selection {
        package var repository: Repository
        /// The image name, not yet known to be one.
        package var name: Substring
        /// The value for `OCI-Namespace`, when `ns` decided.
        var namespace: String?
    }

    private let repositories: [String: Repository]
    private let registries: [String: Repository]
    private let listeners: [String: Listener]
    /// Writes a registry's name in its one form: case, default port, Docker Hub's aliases.
    private let normalise: @Sendable (String) -> String?

    /// Takes the repositories in force, and the rules of listeners by their identity's name.
    package init(
        repositories: [Repository], listeners: [String: Listener],
        normalise: @escaping @Sendable (String) -> String?
    ) {
        var byName: [String: Repository] = [:]
        var byRegistry: [String: Repository] = [:]
        for repository in repositories {
            byName[repository.name] = repository
            if case .proxy(let proxy) = repository { byRegistry[proxy.registry] = repository }
        }
        self.repositories = byName
        registries = byRegistry
        self.listeners = listeners
        self.normalise = normalise
    }

    /// The registries that are served, for messages.
    var registryNames: [String] { registries.keys.sorted() }

    /// Finds the repository that a request is meant for.
    ///
    /// `prefix` is the path component before `/v2/`, if there is one; `name` is the image name,
    /// perhaps with a repository in front.
    package func select(
        listener: String, prefix: Substring?, name: Substring, namespace: String?
    ) -> Selection? {
        guard let rules = listeners[listener] else { return nil }
        if let prefix {
            // Whoever wrote a repository in front of /v2/ into a client's configuration meant it.
            guard rules.ways.contains(where: { $0 == .path }), let found = named(prefix) else {
                return nil
            }
            return Selection(repository: found, name: name)
        }
        for way in rules.ways {
            switch way {
            case .namespace:
                guard let namespace else { continue }
                return byNamespace(namespace, name)
            case .path:
                let (first, rest) = name.cutAtFirstSlash()
                guard let rest, let found = named(first) else { continue }
                return Selection(repository: found, name: rest)
            case .root:
                guard let root = rules.repository, let found = repositories[root] else { continue }
                return Selection(repository: found, name: name)
            }
        }
        return nil
    }

    /// Whether `/v2/` should make clients say who they are: some ask for nothing else first, and
    /// send a login later only if they were asked for one here.
    func wantsLogins(listener: String, prefix: Substring?, namespace: String?) -> Bool {
        if prefix != nil || namespace != nil {
            let found = select(
                listener: listener, prefix: prefix, name: "-", namespace: namespace)
            return found?.repository.passesLoginsOn ?? false
        }
        guard let rules = listeners[listener] else { return false }
        if rules.ways.contains(where: { $0 != .root }) {
            return repositories.values.contains { $0.passesLoginsOn }
        }
        return rules.repository.flatMap { repositories[$0] }?.passesLoginsOn ?? false
    }

    /// What a listener's catalog is of, and what stands in front of the names there: the repository
    /// that needs no name in front first, then the others by theirs, groups excepted.
    func catalogued(
        listener: String, prefix: Substring?
    ) -> [(repository: Repository, prefix: String)] {
        guard let rules = listeners[listener] else { return [] }
        let takesPaths = rules.ways.contains { $0 == .path }
        if let prefix { return takesPaths ? named(prefix).map { [($0, "")] } ?? [] : [] }
        var found: [(repository: Repository, prefix: String)] = []
        if rules.ways.contains(where: { $0 == .root }),
            let root = rules.repository.flatMap({ repositories[$0] })
        {
            found.append((root, ""))
        }
        guard takesPaths else { return found }
        for (name, repository) in repositories.sorted(by: { $0.key < $1.key }) {
            if case .group = repository { continue }
            if found.first?.repository.name != name { found.append((repository, name + "/")) }
        }
        return found
    }

    private func byNamespace(_ namespace: String, _ name: Substring) -> Selection? {
        guard let found = registry(named: namespace) else { return nil }
        // With override_path the same repository may stand in the path as well.
        let (first, rest) = name.cutAtFirstSlash()
        if let rest, named(first)?.name == found.name {
            return Selection(repository: found, name: rest, namespace: namespace)
        }
        return Selection(repository: found, name: name, namespace: namespace)
    }

    /// The repository of that name, or of the registry of that name.
    func named(_ text: Substring) -> Repository? {
        let text = String(text)
        return repositories[text] ?? registry(named: text)
    }

    private func registry(named text: String) -> Repository? {
        if let found = registries[text] { return found }
        // A plain word has no other spelling than the one that was just looked for.
        let isPlain = text.utf8.allSatisfy {
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || $0 == UInt8(ascii: "-")
        }
        return isPlain ? nil : normalise(text).flatMap { registries[$0] }
    }
}
