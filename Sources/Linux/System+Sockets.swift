import CLinux
import Glibc

/// Outcome of a non-blocking transfer.
package enum Transferred: Equatable, Sendable {
    case bytes(Int)
    /// Nothing could be moved without waiting.
    case wouldBlock
}

extension System {
    /// A listening TCP socket on a numeric `host` (IPv4 or IPv6) and `port`.
    package static func listen(
        host: String, port: UInt16, backlog: Int32
    ) throws(Errno) -> FileDescriptor {
        let address = try SocketAddress(numeric: host, port: port)
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let raw = try call32("socket") {
            socket(address.family, type | Int32(SOCK_NONBLOCK.rawValue), 0)
        }
        let descriptor = FileDescriptor(owning: raw)
        try setOption(raw, SOL_SOCKET, SO_REUSEADDR, 1)
        if address.family == AF_INET6 { try setOption(raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
        try call32("bind") { address.withPointer { bind(raw, $0, $1) } }
        try call32("listen") { Glibc.listen(raw, backlog) }
        return descriptor
    }

    /// Takes one connection, non-blocking and close-on-exec; nil when none is waiting.
    package static func accept(
        _ listener: Int32
    ) throws(Errno) -> (descriptor: Int32, peer: SocketAddress)? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let raw = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                clinux_accept4(listener, $0, &length)
            }
        }
        if raw >= 0 { return (raw, SocketAddress(storage)) }
        let error = Errno.last("accept4")
        if error.wouldBlock { return nil }
        throw error
    }

    package static func setOption(
        _ fd: Int32, _ level: Int32, _ name: Int32, _ value: Int32
    ) throws(Errno) {
        var value = value
        try call32("setsockopt") {
            setsockopt(fd, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    /// Disables Nagle's delay: heads and bodies are joined by MSG_MORE instead.
    package static func setNoDelay(_ fd: Int32) {
        _ = try? setOption(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// Holds back packets that are not full, or lets them go (TCP_CORK).
    package static func setCork(_ fd: Int32, _ isHeld: Bool) {
        _ = try? setOption(fd, Int32(IPPROTO_TCP), TCP_CORK, isHeld ? 1 : 0)
    }

    /// Takes no more than about so many bytes that cannot be sent yet (TCP_NOTSENT_LOWAT).
    package static func setUnsentMax(_ fd: Int32, _ bytes: Int32) {
        _ = try? setOption(fd, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, bytes)
    }

    /// Receives at most `buffer.count` bytes; `.bytes(0)` is the peer's end.
    package static func receive(
        _ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Transferred {
        while true {
            let count = recv(fd, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
            if count >= 0 { return .bytes(count) }
            let error = Errno.last("recv")
            if error.wouldBlock { return .wouldBlock }
            if error.code != EINTR { throw error }
        }
    }

    /// What a look at a socket's first byte showed.
    package enum Peeked: Equatable, Sendable {
        case byte(UInt8)
        case wouldBlock
        case ended
    }

    /// Looks at the next byte and leaves it there.
    package static func peekByte(_ fd: Int32) throws(Errno) -> Peeked {
        var byte: UInt8 = 0
        while true {
            let count = recv(fd, &byte, 1, Int32(MSG_DONTWAIT) | Int32(MSG_PEEK))
            if count >= 0 { return count == 0 ? .ended : .byte(byte) }
            let error = Errno.last("recv")
            if error.wouldBlock { return .wouldBlock }
            if error.code != EINTR { throw error }
        }
    }

    /// Sends; with `more` the kernel holds back a short packet until the body follows.
    package static func send(
        _ fd: Int32, _ buffer: UnsafeRawBufferPointer, more: Bool
    ) throws(Errno) -> Transferred {
        let flags = Int32(MSG_NOSIGNAL) | (more ? Int32(MSG_MORE) : 0)
        while true {
            let count = Glibc.send(fd, buffer.baseAddress, buffer.count, flags)
            if count >= 0 { return .bytes(count) }
            let error = Errno.last("send")
            if error.wouldBlock { return .wouldBlock }
            if error.code != EINTR { throw error }
        }
    }

    /// Sends file bytes from `offset` without copying; `.bytes(0)` is the file's end.
    package static func sendfile(
        to socket: Int32, from file: Int32, offset: Int64, count: Int
    ) throws(Errno) -> Transferred {
        var position = off_t(offset)
        while true {
            let sent = Glibc.sendfile(socket, file, &position, count)
            if sent >= 0 { return .bytes(sent) }
            let error = Errno.last("sendfile")
            if error.wouldBlock { return .wouldBlock }
            if error.code != EINTR { throw error }
        }
    }

    /// Ends our direction with FIN; the peer may still send.
    package static func shutdownWrite(_ fd: Int32) {
        _ = shutdown(fd, Int32(SHUT_WR))
    }

    /// The local address of a bound socket.
    package static func localAddress(_ fd: Int32) throws(Errno) -> SocketAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        try call32("getsockname") {
            withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    getsockname(fd, $0, &length)
                }
            }
        }
        return SocketAddress(storage)
    }
}
