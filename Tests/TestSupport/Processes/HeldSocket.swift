import Glibc

/// A listening socket that outlives the daemons it is passed to, as a service manager holds one.
package final class HeldSocket: Sendable {
    package let descriptor: Int32
    /// `127.0.0.1:PORT`.
    package let address: String

    package init(backlog: Int32 = 1024) throws {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        inet_pton(AF_INET, "127.0.0.1", &name.sin_addr)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer -> Int32 in
                guard bind(raw, pointer, length) == 0, listen(raw, backlog) == 0 else { return -1 }
                return getsockname(raw, pointer, &length)
            }
        }
        guard raw >= 0, code == 0 else { throw TestFailure("no socket: errno \(errno)") }
        descriptor = raw
        address = "127.0.0.1:\(UInt16(bigEndian: name.sin_port))"
    }

    deinit { close(descriptor) }

    /// Starts a daemon that takes this socket under the name `registry`.
    ///
    /// The shell puts its own process number, which becomes the daemon's, into `LISTEN_PID`.
    package func start(
        _ configuration: DaemonConfiguration, home: TemporaryDirectory? = nil
    ) throws -> DaemonProcess {
        var configuration = configuration
        configuration.listeners = [#"address = "systemd:registry""#]
        return try DaemonProcess(
            configuration, home: home,
            wrapper: ["/bin/sh", "-c", #"LISTEN_PID=$$ exec "$@""#, "sh"],
            environment: ["LISTEN_FDS": "1", "LISTEN_FDNAMES": "registry"], passing: descriptor)
    }
}
