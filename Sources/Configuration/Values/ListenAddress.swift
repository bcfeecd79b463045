package import Linux

/// Where a listener listens: a numeric address and port, or a socket handed over by systemd.
package enum ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// A TCP address; port 0 lets the kernel choose.
    case tcp(IPAddress, port: UInt16)
    /// The sockets that systemd passes under this `FileDescriptorName=`.
    case systemd(name: String)

    /// Whether only this machine can connect; nil when only the socket itself can tell.
    package var isLoopback: Bool? {
        switch self {
        case .tcp(let host, _): host.isLoopback
        case .systemd: nil
        }
    }

    package var description: String {
        switch self {
        case .tcp(let host, let port): "\(host.authorityText):\(port)"
        case .systemd(let name): "systemd:\(name)"
        }
    }
}
