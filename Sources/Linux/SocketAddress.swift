package import Glibc

/// An IPv4 or IPv6 address with a port.
package struct SocketAddress: Sendable {
    private var storage: sockaddr_storage

    package init(_ storage: sockaddr_storage) {
        self.storage = storage
    }

    /// Parses a numeric host; no name is ever looked up here.
    package init(numeric host: String, port: UInt16) throws(Errno) {
        storage = sockaddr_storage()
        var v4 = sockaddr_in()
        var v6 = sockaddr_in6()
        if inet_pton(AF_INET, host, &v4.sin_addr) == 1 {
            v4.sin_family = sa_family_t(AF_INET)
            v4.sin_port = port.bigEndian
            withUnsafeMutableBytes(of: &storage) { target in
                withUnsafeBytes(of: v4) { target.copyMemory(from: $0) }
            }
        } else if inet_pton(AF_INET6, host, &v6.sin6_addr) == 1 {
            v6.sin6_family = sa_family_t(AF_INET6)
            v6.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &storage) { target in
                withUnsafeBytes(of: v6) { target.copyMemory(from: $0) }
            }
        } else {
            throw Errno(EINVAL, "address \(host)")
        }
    }

    /// A unix socket's path, of at most 107 bytes.
    init(unix path: String) throws(Errno) {
        storage = sockaddr_storage()
        var address = sockaddr_un()
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path), !bytes.contains(0) else {
            throw Errno(ENAMETOOLONG, "socket \(path)")
        }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        withUnsafeMutableBytes(of: &storage) { target in
            withUnsafeBytes(of: address) { target.copyMemory(from: $0) }
        }
    }

    package var family: Int32 { Int32(storage.ss_family) }

    package var port: UInt16 {
        withUnsafeBytes(of: storage) { bytes in
            // The port stands at the same place in both families.
            UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        }
    }

    /// The address's bytes: 4 or 16; IPv4 inside IPv6 is given as IPv4.
    package var bytes: [UInt8] {
        withUnsafeBytes(of: storage) { raw in
            if family == AF_INET { return Array(raw[4..<8]) }
            guard family == AF_INET6 else { return [] }
            let all = Array(raw[8..<24])
            let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
            return Array(all.prefix(12)) == mapped ? Array(all[12...]) : all
        }
    }

    /// Whether the address is this machine's own: 127.0.0.0/8 or ::1.
    package var isLoopback: Bool {
        let bytes = self.bytes
        if bytes.count == 4 { return bytes[0] == 127 }
        return bytes.count == 16 && bytes.last == 1 && bytes.dropLast().allSatisfy { $0 == 0 }
    }

    /// The host without its port, as people write it.
    package var host: String {
        let bytes = self.bytes
        if bytes.count == 4 { return bytes.map(String.init).joined(separator: ".") }
        guard bytes.count == 16 else { return "-" }
        var address = in6_addr()
        withUnsafeMutableBytes(of: &address) { $0.copyBytes(from: bytes) }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(AF_INET6, &address, &text, socklen_t(text.count)) != nil else { return "-" }
        return String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// `host:port`, IPv6 in brackets.
    package var text: String {
        let host = self.host
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    func withPointer<T>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
        let size =
            switch family {
            case AF_INET: MemoryLayout<sockaddr_in>.size
            case AF_UNIX: MemoryLayout<sockaddr_un>.size
            default: MemoryLayout<sockaddr_in6>.size
            }
        return withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(size)) }
        }
    }
}
