import Glibc
package import Linux
import Synchronization
package import TLS

/// A listening TCP socket with a name; shared by all loops, closed when nobody accepts from it.
package final class Listener: Sendable {
    package let identity: ListenerIdentity
    /// Host names that are served, in lower case and without a port; nil serves all (HTTP-6).
    package let hostnames: Set<String>?
    let descriptor: FileDescriptor
    /// Counts this listener's connections apart from all others'; nil counts them together.
    let ownLedger: ConnectionLedger?
    /// Handed on by the service manager, which keeps it listening while we restart.
    private let isInherited: Bool
    private let context: Mutex<TLSContext?>
    private let open = Atomic<Int>(0)
    private let accepted = Atomic<Int>(0)

    /// Connections that wait in the kernel while the loops are busy; `somaxconn` may cut it.
    private static let backlog: Int32 = 1024

    /// Binds and listens on a numeric `host`; port 0 lets the kernel choose one.
    ///
    /// With `ownLimit` so many connections are served whatever the server's other ones amount to,
    /// so that those who look after a full server still reach it. With `tls` it speaks HTTPS only.
    package convenience init(
        name: String, host: String, port: UInt16, hostnames: Set<String>? = nil,
        ownLimit: Int? = nil, tls: TLSContext? = nil
    ) throws(Errno) {
        try self.init(
            name: name, System.listen(host: host, port: port, backlog: Self.backlog),
            isInherited: false, hostnames: hostnames, ownLimit: ownLimit, tls: tls)
    }

    /// Takes over a socket that already listens, as systemd hands on (it may be blocking).
    package convenience init(
        name: String, listening descriptor: consuming FileDescriptor,
        hostnames: Set<String>? = nil, ownLimit: Int? = nil, tls: TLSContext? = nil
    ) throws(Errno) {
        try System.adopt(descriptor.raw)
        try self.init(
            name: name, descriptor, isInherited: true, hostnames: hostnames, ownLimit: ownLimit,
            tls: tls)
    }

    /// Listens on a unix socket at `path`, which only its owner can open (LOC-4).
    package convenience init(name: String, unix path: String, ownLimit: Int) throws(Errno) {
        try self.init(
            name: name, System.listenUnix(path, backlog: 16), isInherited: false, hostnames: nil,
            ownLimit: ownLimit, address: path)
    }

    private init(
        name: String, _ descriptor: consuming FileDescriptor, isInherited: Bool,
        hostnames: Set<String>?, ownLimit: Int?, address: String? = nil, tls: TLSContext? = nil
    ) throws(Errno) {
        self.isInherited = isInherited
        context = Mutex(tls)
        ownLedger = ownLimit.map { ConnectionLedger(totalMax: $0, perAddressMax: $0) }
        // Accepted sockets inherit this, which saves a call per connection.
        System.setNoDelay(descriptor.raw)
        let bound: String
        if let address {
            bound = address
        } else {
            bound = try System.localAddress(descriptor.raw).text
        }
        identity = ListenerIdentity(name: name, address: bound, isSecure: tls != nil)
        self.hostnames = hostnames.map { Set($0.map { $0.lowercased() }) }
        self.descriptor = descriptor
    }

    /// Whether only this machine reaches it.
    package var isLoopback: Bool {
        (try? System.localAddress(descriptor.raw))?.isLoopback ?? false
    }

    /// The port bound.
    package var port: UInt16 { (try? System.localAddress(descriptor.raw).port) ?? 0 }

    /// What handshakes are made by; nil for plain HTTP.
    var tls: TLSContext? {
        guard identity.isSecure else { return nil }
        return context.withLock { $0 }
    }

    /// Takes new certificates for the handshakes to come; open connections go on as they are.
    ///
    /// Whether it speaks TLS at all was settled when it was made.
    package func replace(tls: TLSContext) {
        context.withLock { $0 = tls }
    }

    /// Connections that are open now.
    package var openConnections: Int { open.load(ordering: .relaxed) }

    /// Connections accepted since the start.
    package var acceptedConnections: Int { accepted.load(ordering: .relaxed) }

    /// Has the kernel refuse further connections, so that clients go to another host at once; those
    /// to an inherited socket wait for the next process instead.
    func refuse() {
        if !isInherited { System.shutdownBoth(descriptor.raw) }
    }

    func connectionOpened() {
        open.wrappingAdd(1, ordering: .relaxed)
        accepted.wrappingAdd(1, ordering: .relaxed)
    }

    func connectionClosed() {
        open.wrappingSubtract(1, ordering: .relaxed)
    }

    /// Whether a request for `hostName` is served here; HTTP/1.0 may name none.
    func serves(hostName: String) -> Bool {
        guard let hostnames, !hostName.isEmpty else { return true }
        return hostnames.contains(hostName)
    }
}
