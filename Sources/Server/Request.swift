package import HTTP
import Linux
package import Reactor

/// One parsed request and where it came from.
///
/// A class, and its head too: they are handed through all rooms, and kept with answers.
package final class Request: Sendable {
    package let head: RequestHead
    /// The peer's numeric host, without its port.
    package let peer: String
    package let listener: ListenerIdentity
    /// The loop that the connection lives on, and that the handler is called on.
    package let loop: EventLoop
    package let id: RequestID
    /// When the whole head was there.
    package let received: Instant
    /// What follows the head, if the handler takes it (`RequestHandler.takesBody`).
    ///
    /// To be read on `loop`, before the answer is given; what is left is dropped.
    package let body: (any ChunkStream)?

    package init(
        head: RequestHead, peer: String, listener: ListenerIdentity, loop: EventLoop,
        id: RequestID, received: Instant, body: (any ChunkStream)? = nil
    ) {
        self.head = head
        self.peer = peer
        self.listener = listener
        self.loop = loop
        self.id = id
        self.received = received
        self.body = body
    }
}

extension Request {
    /// What one client can be expected to have to itself: an IPv4 address or an IPv6 /64.
    package var client: String {
        guard peer.utf8.contains(UInt8(ascii: ":")), case .v6(let bits)? = IPAddress(parsing: peer)
        else { return peer }
        return String(bits >> 64, radix: 16)
    }
}

/// Which listener a request came in by, for routing, logs and metrics.
package struct ListenerIdentity: Hashable, Sendable, CustomStringConvertible {
    /// The name of the configuration, such as `http`, `admin` or a repository's own port.
    package let name: String
    /// `host:port` as bound, also when port 0 was asked for.
    package let address: String
    /// Whether its clients speak TLS: what is named to them begins with `https://`.
    package let isSecure: Bool

    package init(name: String, address: String, isSecure: Bool = false) {
        self.name = name
        self.address = address
        self.isSecure = isSecure
    }

    package var description: String { name }
}

/// A number that tells requests of one process apart, written as 16 hex digits.
package struct RequestID: Hashable, Sendable, CustomStringConvertible {
    package let value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }

    package var description: String {
        String(unsafeUninitializedCapacity: 16) { target in
            withUnsafeBytes(of: digits) {
                UnsafeMutableRawBufferPointer(target).copyMemory(from: $0)
            }
            return 16
        }
    }

    /// Appends `X-Request-Id: …`, by which an answer is found in the log.
    func appendField(to output: inout [UInt8]) {
        output.append(contentsOf: "X-Request-Id: ".utf8)
        withUnsafeBytes(of: digits) { output.append(contentsOf: $0) }
        output.append(contentsOf: "\r\n".utf8)
    }

    /// The 16 digits in the order of memory; every answer carries them.
    private var digits: (UInt64, UInt64) {
        (Self.digits(value >> 32).bigEndian, Self.digits(value & 0xffff_ffff).bigEndian)
    }

    /// Eight hex digits of 32 bits, the first in the highest byte: all of them at once.
    private static func digits(_ bits: UInt64) -> UInt64 {
        var nibbles = (bits << 16 | bits) & 0x0000_ffff_0000_ffff
        nibbles = (nibbles << 8 | nibbles) & 0x00ff_00ff_00ff_00ff
        nibbles = (nibbles << 4 | nibbles) & 0x0f0f_0f0f_0f0f_0f0f
        // 6 more than nine overflows into the fifth bit: those are letters.
        let letters = (nibbles &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return nibbles &+ 0x3030_3030_3030_3030 &+ letters &* 39
    }
}
