import TestSupport

/// How an upstream is lost.
enum Outage: String, CaseIterable, Sendable {
    case stopped, silent, dropping, limited, failing, badCertificate, noAddress
}

/// An upstream, a daemon that pulls from it, and the ways to lose it.
final class OutageScene {
    let image = ImageFixture(seed: 65)
    let upstream: LoopbackRegistry
    var puller: Puller { Puller(daemon, "/v2/docker.io/library/a") }
    private(set) var daemon: DaemonProcess
    private let home: TemporaryDirectory
    private let configuration: DaemonConfiguration
    private var hole: BlackHole?
    private var server: DockerRegistryProcess?

    /// Starts both; what is needed in front of the upstream depends on how it will be lost.
    init(for outage: Outage = .stopped) throws {
        home = try TemporaryDirectory()
        upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        var (url, extra) = (upstream.url, "")
        var wrapper: [String] = []
        if outage == .badCertificate {
            let server = try DockerRegistryProcess(proxying: upstream.url, certificate: "good")
            (url, extra) = ("https://\(server.address)", "ca_file = \"\(server.certificate)\"")
            self.server = server
        }
        if outage == .noAddress {
            url = "http://registry.cistern.test:\(upstream.registry.port)"
            extra = "allow_networks = [\"127.0.0.0/8\"]"
            wrapper = try OutageScene.hosts(home, "127.0.0.1 registry.cistern.test")
        }
        let table = """
            [repositories."docker.io"]
            type = "proxy"
            upstream = "\(url)"
            tag_ttl = "1s"
            \(extra)
            """
        configuration = DaemonConfiguration([table])
        daemon = try DaemonProcess(configuration, home: home, wrapper: wrapper)
    }

    func lose(_ outage: Outage) throws {
        let port = upstream.registry.port
        switch outage {
        case .stopped: upstream.stop()
        case .silent, .dropping:
            upstream.stop()
            hole = try BlackHole(outage == .silent ? .silent : .dropping, port: port)
        case .limited:
            upstream.inject(
                .status(429, headers: [("Retry-After", "60")]), on: "/v2/", method: nil)
        case .failing: upstream.inject(.status(500), on: "/v2/", method: nil)
        case .badCertificate: try server?.restart(certificate: "nobody signed this")
        case .noAddress:
            // libcurl keeps a name's address for a minute.
            daemon.stop()
            daemon = try DaemonProcess(
                configuration, home: home, wrapper: try OutageScene.hosts(home, ""))
        }
    }

    /// Makes a command see these lines as `/etc/hosts`.
    private static func hosts(_ home: TemporaryDirectory, _ lines: String) throws -> [String] {
        let file = try home.write("hosts", lines + "\n")
        return [
            try requireTool("unshare"), "--map-root-user", "--mount", "sh", "-c",
            "mount --bind \(file) /etc/hosts && exec \"$0\" \"$@\"",
        ]
    }
}
