import Configuration
import Server
import TLS

/// Makes what listeners shake hands with.
enum ListenerTLS {
    /// The context of one listener; nil for plain HTTP.
    ///
    /// Where `hostnames` is written, a client that names another server is refused in the handshake
    /// already, unless a certificate is for that name: then it is told so in HTTP (TLS-4).
    static func context(
        _ configuration: Configuration, _ listener: ListenerConfiguration
    ) throws(DaemonError) -> TLSContext? {
        let chosen = configuration.certificates(of: listener)
        guard let first = chosen.first else { return nil }
        do throws(TLSError) {
            var certificates: [TLSCertificate] = []
            for each in chosen { certificates.append(try each.pair()) }
            var clients: TLSAuthorities?
            if let authorities = first.clientCA { clients = try TLSAuthorities(authorities) }
            let names = listener.acceptedHostnames(boundToLoopback: false)
            return try TLSContext(
                certificates, from: first.minVersion, clients: clients,
                names: names.map { Set($0.map { $0.lowercased() }) })
        } catch {
            throw DaemonError(.configuration, "tls.\(first.name): \(error)")
        }
    }

    /// What the open listeners shake hands with by a new configuration.
    static func renewal(
        of bound: [BoundListener], by configuration: Configuration
    ) throws(DaemonError) -> [(listener: Listener, context: TLSContext)] {
        var contexts: [(listener: Listener, context: TLSContext)] = []
        for bound in bound {
            guard let index = bound.index, configuration.listeners.indices.contains(index),
                let context = try context(configuration, configuration.listeners[index])
            else { continue }
            contexts.append((bound.listener, context))
        }
        return contexts
    }

    /// When each certificate's time is over, by its name.
    static func ends(_ configuration: Configuration) -> [String: Int64] {
        var ends: [String: Int64] = [:]
        for each in configuration.tls { ends[each.name] = (try? each.pair())?.notAfter }
        return ends
    }
}
