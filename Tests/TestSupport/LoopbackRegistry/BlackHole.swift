import Glibc

/// A port where nobody answers.
package final class BlackHole: Sendable {
    /// How it does not answer.
    package enum Manner: Sendable, CaseIterable {
        /// Connections are taken by the kernel and never served.
        case silent
        /// Packets that would open a connection are dropped.
        case dropping
    }

    package let port: UInt16
    private let descriptors: [Int32]

    /// Listens on `port` of 127.0.0.1, or on a free one, and accepts nothing.
    package init(_ manner: Manner, port: UInt16 = 0) throws {
        let (listener, port) = try BlackHole.listen(port, backlog: manner == .silent ? 1024 : 0)
        self.port = port
        // A full queue makes the kernel drop what comes.
        let fillers = manner == .silent ? [] : (0..<4).map { _ in BlackHole.connect(port) }
        descriptors = [listener] + fillers.filter { $0 >= 0 }
    }

    deinit {
        for descriptor in descriptors { close(descriptor) }
    }

    package var url: String { "http://127.0.0.1:\(port)" }

    private static func listen(_ port: UInt16, backlog: Int32) throws -> (Int32, UInt16) {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_INET, kind, 0)
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        var name = address(port)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic -> Int32 in
                if bind(descriptor, generic, length) != 0 { return -1 }
                if Glibc.listen(descriptor, backlog) != 0 { return -1 }
                return getsockname(descriptor, generic, &length)
            }
        }
        guard code == 0 else { throw TestFailure("no black hole on port \(port)") }
        return (descriptor, UInt16(bigEndian: name.sin_port))
    }

    /// Begins a connection and leaves it so.
    private static func connect(_ port: UInt16) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_INET, kind, 0)
        var name = address(port)
        withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                _ = Glibc.connect(
                    descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return descriptor
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return name
    }
}
