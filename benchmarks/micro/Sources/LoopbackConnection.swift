import Glibc
import Linux

/// Both ends of a TCP connection over loopback, non-blocking.
struct LoopbackConnection: ~Copyable {
    let near: FileDescriptor
    private let far: FileDescriptor

    init() throws {
        let listener = try System.listen(host: "127.0.0.1", port: 0, backlog: 1)
        let near = try Self.connect(to: try System.localAddress(listener.raw).port)
        guard let accepted = try System.accept(listener.raw) else { throw Unexpected("nobody") }
        far = FileDescriptor(owning: accepted.descriptor)
        self.near = near
    }

    private static func connect(to port: UInt16) throws -> FileDescriptor {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        let end = FileDescriptor(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        let raw = end.raw
        let result = withUnsafeBytes(of: &address) { bytes in
            let pointer = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress
            return Glibc.connect(raw, pointer, socklen_t(bytes.count))
        }
        guard result == 0 else { throw Errno.last("connect") }
        try System.adopt(raw)
        return end
    }

    /// Throws away what has arrived at the far end; the kernel need not copy it for that.
    func drop() throws {
        while true {
            let count = recv(far.raw, nil, 1 << 20, Int32(MSG_DONTWAIT) | Int32(MSG_TRUNC))
            if count > 0 { continue }
            if count == 0 { throw Unexpected("the connection ended") }
            let error = Errno.last("recv")
            if error.wouldBlock { return }
            throw error
        }
    }

    /// Waits until the near end takes bytes or the far end has some to drop.
    func waitForRoom() throws {
        var ends = [
            pollfd(fd: near.raw, events: Int16(POLLOUT), revents: 0),
            pollfd(fd: far.raw, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&ends, 2, 10_000) > 0 else { throw Errno.last("poll") }
    }
}
