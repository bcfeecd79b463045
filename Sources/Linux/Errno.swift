import Glibc

/// A failed system call: the error number and the call's name.
package struct Errno: Error, Equatable, Sendable, CustomStringConvertible {
    package let code: Int32
    /// Name of the call that failed, for messages.
    package let call: String

    package init(_ code: Int32, _ call: String) {
        self.code = code
        self.call = call
    }

    /// The calling thread's current `errno`, to be taken directly after the failed call.
    package static func last(_ call: String) -> Errno { Errno(errno, call) }

    /// Whether a non-blocking call found nothing to do.
    package var wouldBlock: Bool { code == EAGAIN || code == EWOULDBLOCK }

    /// Whether the file system has no room: full disk, quota or file size limit.
    package var isNoSpace: Bool { code == ENOSPC || code == EDQUOT || code == EFBIG }

    package var description: String {
        "\(call): \(Self.text(code))"
    }

    /// What `strerror` says of `code`.
    package static func text(_ code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 128)
        guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
        let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
