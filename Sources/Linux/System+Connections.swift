import CLinux
import Glibc

/// What of a file could be read without waiting for a disk.
package enum ResidentRead: Equatable, Sendable {
    case bytes(Int)
    /// Nothing of it is in memory.
    case cold
}

extension System {
    /// Reads at `offset` only what is in memory; a file system that cannot tell is simply read.
    package static func readResident(
        _ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int64
    ) throws(Errno) -> ResidentRead {
        let count = clinux_read_resident(fd, buffer.baseAddress, buffer.count, offset)
        if count >= 0 { return .bytes(count) }
        let error = Errno.last("preadv2")
        if error.wouldBlock { return .cold }
        guard error.code == EOPNOTSUPP || error.code == ENOSYS else { throw error }
        return .bytes(try pread(fd, buffer, at: offset))
    }

    /// Bytes in the socket's send queue that the peer has not acknowledged; 0 if that is unknown.
    package static func unacknowledged(_ fd: Int32) -> Int {
        max(0, Int(clinux_unacknowledged(fd)))
    }

    /// Makes the coming close reset the connection, for bodies whose end is the connection's end.
    package static func resetOnClose(_ fd: Int32) {
        _ = clinux_reset_on_close(fd)
    }

    /// Ends both directions at once; whoever waits for the socket is woken by a hang-up.
    package static func shutdownBoth(_ fd: Int32) {
        _ = shutdown(fd, Int32(SHUT_RDWR))
    }

    /// How many descriptors the process may have open.
    package static var descriptorLimit: Int {
        Int(clinux_descriptor_limit())
    }

    /// Makes an inherited descriptor like those opened here: non-blocking and close-on-exec.
    package static func adopt(_ fd: Int32) throws(Errno) {
        let flags = try call32("fcntl") { clinux_fcntl_getfl(fd) }
        try call32("fcntl") { clinux_fcntl_setfl(fd, flags | O_NONBLOCK) }
        try call32("fcntl") { clinux_set_cloexec(fd) }
    }
}
