import Linux

/// Writes the configuration that makes a container runtime pull through this cache.
///
/// Pure text: where a registry is found depends on the routes of the listener that clients reach.
package struct ClientSetup: Sendable {
    /// Why no text can be written.
    package enum Failure: Error, Equatable, Sendable {
        /// The server's URL is none.
        case server(String)
        /// No proxy of that registry is configured; perhaps the other was meant.
        case unknownRegistry(String, meant: String?)
        /// The listener's routes do not lead this runtime to the registry.
        case unreachable(registry: String, why: String)
    }

    /// A registry that clients are to find at the cache.
    struct Target: Sendable {
        /// As people write it.
        let registry: String
        /// The repository's name.
        let repository: String
    }

    let configuration: Configuration
    /// The address clients reach the cache at, without slash at its end.
    let server: UpstreamURL
    let targets: [Target]
    /// Whether clients may go to the registry itself when the cache fails.
    let fallsBack: Bool
    let listener: ListenerConfiguration

    /// Prepares texts for some registries, or for all proxies when none is named.
    ///
    /// Without a server the address of the first TCP listener is taken; one that listens on every
    /// address is taken to be reached at 127.0.0.1.
    package init(
        configuration: Configuration, server: String?, registries: [String], fallsBack: Bool
    ) throws(Failure) {
        self.configuration = configuration
        self.fallsBack = fallsBack
        let text = server ?? Self.usualServer(configuration)
        do throws(UpstreamURL.Refusal) {
            self.server = try Self.server(text, configuration)
        } catch {
            throw .server(text)
        }
        guard let listener = Self.listener(configuration, port: self.server.port) else {
            throw .server(text)
        }
        self.listener = listener
        targets = try Self.targets(configuration, registries)
    }

    /// Where no scheme is written, that of the listener at the port.
    private static func server(
        _ text: String, _ configuration: Configuration
    ) throws(UpstreamURL.Refusal) -> UpstreamURL {
        if text.contains("://") { return try UpstreamURL(parsing: text) }
        let plain = try UpstreamURL(parsing: "http://\(text)")
        let listener = listener(configuration, port: plain.port)
        return listener?.tls.isEmpty == false ? try UpstreamURL(parsing: "https://\(text)") : plain
    }

    private static func usualServer(_ configuration: Configuration) -> String {
        for listener in configuration.listeners {
            guard case .tcp(let host, let port) = listener.address, port != 0 else { continue }
            let scheme = listener.tls.isEmpty ? "http" : "https"
            return "\(scheme)://\(host.isUnspecified ? "127.0.0.1" : host.authorityText):\(port)"
        }
        return "http://127.0.0.1:5000"
    }

    /// The listener at that port, or the first, as behind a port map or a TLS terminator.
    private static func listener(
        _ configuration: Configuration, port: UInt16
    ) -> ListenerConfiguration? {
        configuration.listeners.first { listener in
            if case .tcp(_, port) = listener.address { true } else { false }
        } ?? configuration.listeners.first
    }

    private static func targets(
        _ configuration: Configuration, _ registries: [String]
    ) throws(Failure) -> [Target] {
        let all = configuration.repositories.compactMap { repository in
            repository.proxy.map {
                Target(registry: $0.registry, repository: repository.name)
            }
        }
        guard !registries.isEmpty else { return all }
        var chosen: [Target] = []
        for registry in registries {
            let name = RegistryAlias.normalised(registry) ?? registry
            guard let target = all.first(where: { $0.registry == name }) else {
                let meant = Suggestion.nearest(to: name, among: all.map(\.registry))
                throw .unknownRegistry(Quoted.of(registry), meant: meant)
            }
            if !chosen.contains(where: { $0.registry == name }) { chosen.append(target) }
        }
        return chosen
    }

    /// Whether the listener's own repository leads to the registry.
    func isAtRoot(_ target: Target) -> Bool {
        guard listener.route.contains(.root), let root = listener.repository else { return false }
        return configuration.proxies(below: root).contains { $0.name == target.repository }
    }

    /// The path prefix for a registry: its name, or the repository's where that holds a port.
    func prefix(_ target: Target) -> String? {
        guard listener.route.contains(.path) else { return nil }
        // A colon inside an image's name would be taken for a tag.
        let names = [target.registry, target.repository]
        return names.first { !$0.contains(":") }
    }
}
