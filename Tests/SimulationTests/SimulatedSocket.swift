import Glibc
import TestSupport

/// One end of a stream between a client of a simulation and its daemon.
///
/// Sockets of the machine itself: what one end writes the other can read at once, so that a run
/// depends on nothing but its seed.
final class SimulatedSocket {
    /// A socket's name as the kernel gave it.
    struct Address: Sendable {
        fileprivate var storage = sockaddr_un()
        fileprivate var length = socklen_t(0)
    }

    enum Received: Equatable {
        case bytes(Int)
        case nothingYet
        case ended
    }

    private(set) var descriptor: Int32

    /// A listening socket under a new name.
    static func listen() throws -> (descriptor: Int32, address: Address) {
        let descriptor = try make()
        var address = Address()
        address.storage.sun_family = sa_family_t(AF_UNIX)
        address.length = socklen_t(MemoryLayout<sockaddr_un>.size)
        // Bound without a name, it gets one that is free.
        let isBound = withUnsafeMutablePointer(to: &address.storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sa_family_t>.size)) == 0
                    && getsockname(descriptor, $0, &address.length) == 0
            }
        }
        guard isBound, Glibc.listen(descriptor, 256) == 0 else {
            Glibc.close(descriptor)
            throw TestFailure("listen: \(errno)")
        }
        return (descriptor, address)
    }

    private static func make() throws -> Int32 {
        let type =
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw TestFailure("socket: \(errno)") }
        return descriptor
    }

    init(connectingTo address: Address) throws {
        descriptor = try Self.make()
        let isConnected = withUnsafePointer(to: address.storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, address.length) == 0
            }
        }
        if !isConnected {
            close()
            throw TestFailure("connect: \(errno)")
        }
    }

    deinit { close() }

    func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    /// Sends what fits; 0 when nothing does, nil when the other end is gone.
    func send(_ bytes: ArraySlice<UInt8>) -> Int? {
        let count = bytes.withUnsafeBytes {
            Glibc.send(
                descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }
        if count >= 0 { return count }
        return errno == EAGAIN ? 0 : nil
    }

    /// Appends up to `count` received bytes to `target`.
    func receive(_ count: Int, into target: inout [UInt8]) -> Received {
        withUnsafeTemporaryAllocation(byteCount: count, alignment: 16) { buffer in
            let got = recv(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
            if got < 0 { return errno == EAGAIN ? .nothingYet : .ended }
            if got == 0 { return .ended }
            target.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<got]))
            return .bytes(got)
        }
    }
}
