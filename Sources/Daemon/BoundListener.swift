import API
import Configuration
import Linux
import Registry
import Server
import Synchronization
import TLS
import Telemetry

/// An open listener and what it is for.
struct BoundListener: Sendable {
    enum Purpose: Sendable { case registry, admin }
    /// Connections of the admin address, which clients' ones never use up (RES-6).
    fileprivate static let adminConnectionsMax = 64

    let listener: Listener
    let purpose: Purpose
    /// Which of the configuration's listeners this is.
    let index: Int?
}

/// Opens the listeners of a configuration: sockets of its own, or those that systemd passed.
enum ListenerBuilder {
    static func bind(_ configuration: Configuration) throws(DaemonError) -> [BoundListener] {
        var passed: SocketActivation
        do throws(SocketActivation.Unusable) {
            passed = try SocketActivation()
        } catch {
            throw DaemonError(.configuration, "\(error)", fix: "correct the .socket unit")
        }
        var bound: [BoundListener] = []
        for (index, settings) in configuration.listeners.enumerated() {
            // A socket unit for `registry` replaces the first listener of a built-in configuration.
            let isReplaced =
                configuration.source == nil && index == 0 && passed.names.contains("registry")
            let address = isReplaced ? .systemd(name: "registry") : settings.address
            let tls = try ListenerTLS.context(configuration, settings)
            for listener in try open(
                address, name: "\(index + 1)", settings: settings, tls, &passed)
            {
                try refuseSharing(configuration, settings, listener)
                bound.append(BoundListener(listener: listener, purpose: .registry, index: index))
            }
        }
        for listener in try open(
            configuration.admin.address, name: "admin", settings: nil, nil, &passed)
        {
            bound.append(BoundListener(listener: listener, purpose: .admin, index: nil))
        }
        return bound
    }

    /// Holds a new configuration against the sockets that are open already.
    static func refuseSharing(
        _ configuration: Configuration, _ bound: [BoundListener]
    ) throws(DaemonError) {
        for bound in bound {
            guard let index = bound.index, configuration.listeners.indices.contains(index) else {
                continue
            }
            try refuseSharing(configuration, configuration.listeners[index], bound.listener)
        }
    }

    /// Content fetched with a login is not offered to the network by accident (AUTH-8).
    ///
    /// Addresses in the file are checked with it; where a socket of systemd's is, only shows here.
    private static func refuseSharing(
        _ configuration: Configuration, _ settings: ListenerConfiguration, _ listener: Listener
    ) throws(DaemonError) {
        guard !listener.isLoopback else { return }
        let unshared = configuration.unsharedRepositories(reachableFrom: settings)
        guard unshared.isEmpty else {
            throw DaemonError(
                .configuration,
                "\(listener.identity.address) would offer to the network what "
                    + "\(unshared.joined(separator: ", ")) fetches with a login",
                fix: "listen on loopback, or write share_private = true in these repositories")
        }
    }

    private static func open(
        _ address: ListenAddress, name: String, settings: ListenerConfiguration?,
        _ tls: TLSContext?, _ passed: inout SocketActivation
    ) throws(DaemonError) -> [Listener] {
        switch address {
        case .tcp(let host, let port):
            let names = settings?.acceptedHostnames(boundToLoopback: host.isLoopback)
            do throws(Errno) {
                return [
                    try Listener(
                        name: name, host: host.description, port: port,
                        hostnames: names.map { Set($0) },
                        ownLimit: settings == nil ? BoundListener.adminConnectionsMax : nil,
                        tls: tls)
                ]
            } catch {
                throw DaemonError(
                    .unavailable, "cannot listen on \(address): \(error)",
                    fix: "stop what holds the port, or give the listener another address")
            }
        case .systemd(let socket):
            return try adopt(socket, name: name, settings: settings, tls, &passed)
        }
    }

    private static func adopt(
        _ socket: String, name: String, settings: ListenerConfiguration?,
        _ tls: TLSContext?, _ passed: inout SocketActivation
    ) throws(DaemonError) -> [Listener] {
        var listeners: [Listener] = []
        var failure: Errno?
        passed.take(named: socket) { descriptor in
            let isLoopback = (try? System.localAddress(descriptor.raw))?.isLoopback ?? false
            let names = settings?.acceptedHostnames(boundToLoopback: isLoopback)
            do throws(Errno) {
                listeners.append(
                    try Listener(
                        name: listeners.isEmpty ? name : "\(name).\(listeners.count)",
                        listening: descriptor, hostnames: names.map { Set($0) },
                        ownLimit: settings == nil ? BoundListener.adminConnectionsMax : nil,
                        tls: tls))
            } catch {
                failure = error
            }
        }
        if let failure { throw DaemonError(.unavailable, "socket \(socket): \(failure)") }
        guard !listeners.isEmpty else {
            throw DaemonError(
                .configuration, "systemd passed no socket named \(socket)",
                fix: "set FileDescriptorName=\(socket) in the .socket unit, or listen on host:port")
        }
        return listeners
    }
}

extension RoutingTable.Way {
    fileprivate init(_ route: ListenerConfiguration.Route) {
        switch route {
        case .ns: self = .namespace
        case .path: self = .path
        case .root: self = .root
        }
    }
}

extension RoutingTable {
    /// A table before the configuration is taken: it serves nothing.
    static let empty = RoutingTable(repositories: [], listeners: [:]) { _ in nil }

    init(
        _ repositories: [Repository], _ bound: [BoundListener], _ configuration: Configuration
    ) {
        var rules: [String: RoutingTable.Listener] = [:]
        for bound in bound {
            guard let index = bound.index, configuration.listeners.indices.contains(index) else {
                continue
            }
            let settings = configuration.listeners[index]
            rules[bound.listener.identity.name] = RoutingTable.Listener(
                ways: settings.route.map(RoutingTable.Way.init), repository: settings.repository)
        }
        self.init(repositories: repositories, listeners: rules) {
            RegistryAlias.normalised($0)
        }
    }
}

/// The metrics of the repositories in force, for connections of any loop.
final class RepositoryMetricsTable: Sendable {
    private let table = Mutex<[String: RepositoryMetrics]>([:])

    subscript(_ name: String) -> RepositoryMetrics? { table.withLock { $0[name] } }

    func replace(_ new: [String: RepositoryMetrics]) { table.withLock { $0 = new } }
}
