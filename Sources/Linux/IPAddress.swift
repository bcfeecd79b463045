import Glibc

/// An IPv4 or IPv6 address as a value; zones are dropped.
package enum IPAddress: Hashable, Sendable {
    case v4(UInt32)
    case v6(UInt128)

    /// Parses the standard text forms (`inet_pton`): no abbreviations, no octal.
    package init?(parsing text: some StringProtocol) {
        let text = String(text)
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            self = .v4(UInt32(bigEndian: four.s_addr))
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            self = .v6(withUnsafeBytes(of: six) { UInt128(bigEndian: $0.load(as: UInt128.self)) })
        } else {
            return nil
        }
    }

    /// Reads a `sockaddr_in` or `sockaddr_in6`; nil for any other family.
    package init?(socketAddress bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= MemoryLayout<sa_family_t>.size else { return nil }
        switch Int32(bytes.loadUnaligned(as: sa_family_t.self)) {
        case AF_INET where bytes.count >= MemoryLayout<sockaddr_in>.size:
            let address = bytes.loadUnaligned(as: sockaddr_in.self).sin_addr.s_addr
            self = .v4(UInt32(bigEndian: address))
        case AF_INET6 where bytes.count >= MemoryLayout<sockaddr_in6>.size:
            let address = bytes.loadUnaligned(as: sockaddr_in6.self).sin6_addr
            self = .v6(
                withUnsafeBytes(of: address) {
                    UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self))
                })
        default:
            return nil
        }
    }

    package var isIPv6: Bool {
        if case .v6 = self { true } else { false }
    }

    /// Whether it is this machine's own: 127.0.0.0/8, also mapped into IPv6, or ::1.
    package var isLoopback: Bool {
        switch self {
        case .v4(let value): value >> 24 == 127
        case .v6(let value): value == 1 || embedded?.isLoopback ?? false
        }
    }

    /// Whether it stands for every address of the machine.
    package var isUnspecified: Bool {
        switch self {
        case .v4(let value): value == 0
        case .v6(let value): value == 0
        }
    }

    /// As it stands in front of `:port`: IPv6 in brackets.
    package var authorityText: String {
        isIPv6 ? "[\(description)]" : description
    }

    var bitWidth: Int {
        switch self {
        case .v4: 32
        case .v6: 128
        }
    }

    /// The address with all but its first `length` bits cleared.
    func masked(to length: Int) -> IPAddress {
        let hostBits = bitWidth - min(max(length, 0), bitWidth)
        switch self {
        case .v4(let value): return .v4((value >> UInt32(hostBits)) << UInt32(hostBits))
        case .v6(let value): return .v6((value >> UInt128(hostBits)) << UInt128(hostBits))
        }
    }

    /// The IPv4 address that an IPv6 one stands for: mapped, 6to4 or NAT64 (SSRF-3).
    package var embedded: IPAddress? {
        guard case .v6(let value) = self else { return nil }
        switch value {
        case _ where value >> 32 == 0xffff,
            _ where value >> 32 == 0x0064_ff9b_0000_0000_0000_0000:
            return .v4(UInt32(truncatingIfNeeded: value))
        case _ where value >> 112 == 0x2002:
            return .v4(UInt32(truncatingIfNeeded: value >> 80))
        default:
            return nil
        }
    }
}

extension IPAddress: CustomStringConvertible {
    package var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        switch self {
        case .v4(let value):
            var address = in_addr(s_addr: value.bigEndian)
            inet_ntop(AF_INET, &address, &text, socklen_t(text.count))
        case .v6(let value):
            var address = value.bigEndian
            inet_ntop(AF_INET6, &address, &text, socklen_t(text.count))
        }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
