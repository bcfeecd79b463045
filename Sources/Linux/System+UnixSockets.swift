import CLinux
import Glibc

/// Unix sockets by paths of any length: the kernel takes 107 bytes, so the directory is opened and
/// the socket named below `/proc/self/fd`.
extension System {
    /// A listening unix socket at `path`, for its owner alone (LOC-4); replaces what stood there.
    package static func listenUnix(_ path: String, backlog: Int32) throws(Errno) -> FileDescriptor {
        let directory = try parent(of: path)
        let name = name(of: path)
        let descriptor = try unixSocket(blocking: false)
        if let found = try? fstatat(directory.raw, name) {
            guard found.st_mode & S_IFMT == S_IFSOCK else { throw Errno(EEXIST, "socket \(path)") }
            try unlinkat(directory.raw, name)
        }
        let address = try SocketAddress(unix: "/proc/self/fd/\(directory.raw)/\(name)")
        try call32("bind") { address.withPointer { bind(descriptor.raw, $0, $1) } }
        // Nobody can connect before it listens.
        try call32("fchmodat") { fchmodat(directory.raw, name, 0o600, 0) }
        try call32("listen") { Glibc.listen(descriptor.raw, backlog) }
        return descriptor
    }

    /// A blocking connection to the unix socket at `path`.
    package static func connectUnix(_ path: String) throws(Errno) -> FileDescriptor {
        let directory = try parent(of: path)
        let name = name(of: path)
        let descriptor = try unixSocket(blocking: true)
        let address = try SocketAddress(unix: "/proc/self/fd/\(directory.raw)/\(name)")
        try call32("connect") { address.withPointer { connect(descriptor.raw, $0, $1) } }
        // Named below it until here.
        withExtendedLifetime(directory.raw) {}
        return descriptor
    }

    private static func unixSocket(blocking: Bool) throws(Errno) -> FileDescriptor {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let flags = blocking ? 0 : Int32(SOCK_NONBLOCK.rawValue)
        return FileDescriptor(owning: try call32("socket") { socket(AF_UNIX, type | flags, 0) })
    }

    private static func parent(of path: String) throws(Errno) -> FileDescriptor {
        guard let slash = path.lastIndex(of: "/") else { throw Errno(EINVAL, "socket \(path)") }
        let directory = path[..<slash]
        return try open(directory.isEmpty ? "/" : String(directory), O_RDONLY | O_DIRECTORY)
    }

    private static func name(of path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? ""
    }

    /// Removes the unix socket at `path` when nobody will answer there any more.
    package static func unlinkUnix(_ path: String) throws(Errno) {
        let directory = try parent(of: path)
        try unlinkat(directory.raw, name(of: path))
    }
}
