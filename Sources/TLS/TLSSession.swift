import COpenSSL
import Glibc

/// One connection's TLS, on the server's side, over a non-blocking socket.
///
/// Nothing here waits. Not Sendable: it lives on its connection's loop. After a failure nothing may
/// be tried again, and nothing is: further calls fail at once.
package final class TLSSession {
    /// What a step came to.
    package enum Outcome: Equatable, Sendable {
        /// Done, with so many bytes moved.
        case done(Int)
        /// To be repeated with the same bytes when the socket can be read.
        case wantsRead
        /// To be repeated with the same bytes when the socket can be written.
        case wantsWrite
        /// The client ended its direction, in order or not.
        case ended
        /// It is over; the system's error number if it was a call that failed, else EPROTO.
        case failed(Int32)
    }

    private let session: OpaquePointer
    /// Its callbacks use the object.
    private let context: TLSContext
    private var failure: Int32?
    /// What OpenSSL said when it failed, in its own fixed words; nothing of the client's.
    package private(set) var reason = ""
    /// Whether the kernel encrypts, so that files go out without being read.
    package private(set) var sendsFiles = false

    /// A session over `descriptor`, which stays the caller's; nil without memory.
    package init?(_ context: TLSContext, over descriptor: Int32) {
        guard let session = context.newSession() else { return nil }
        self.session = session
        self.context = context
        guard SSL_set_fd(session, descriptor) == 1 else { return nil }
        SSL_set_accept_state(session)
    }

    deinit {
        // Says nothing to the client.
        SSL_free(session)
    }

    /// Goes on with the handshake.
    package func handshake() -> Outcome {
        let outcome = step { Int(SSL_do_handshake(session)) }
        guard case .done = outcome else { return outcome }
        sendsFiles = copenssl_kernel_encrypts(session) > 0
        return .done(0)
    }

    /// The version that was agreed upon, such as `TLSv1.3`.
    package var version: String { SSL_get_version(session).map { String(cString: $0) } ?? "" }

    /// Takes what has come and is decrypted.
    ///
    /// Less than was asked for does not mean that there is no more: only `wantsRead` does.
    package func receive(_ buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        let room = Int32(clamping: buffer.count)
        guard room > 0 else { return .done(0) }
        let outcome = step { Int(SSL_read(session, buffer.baseAddress, room)) }
        // However the client left, there is nothing more to read (RFC 9112 §9.8).
        if case .failed = outcome { return .ended }
        return outcome
    }

    /// Encrypts and sends; as much as the socket takes at once.
    package func send(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        var sent = 0
        while sent < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
            let outcome = step {
                Int(SSL_write(session, rest.baseAddress, Int32(clamping: rest.count)))
            }
            guard case .done(let count) = outcome, count > 0 else {
                return sent > 0 ? .done(sent) : outcome
            }
            sent += count
        }
        return .done(sent)
    }

    /// Has the kernel send and encrypt bytes of a file; only where `sendsFiles`.
    ///
    /// `done(0)` is the file's end.
    package func sendFile(_ file: Int32, from offset: Int64, count: Int) -> Outcome {
        while true {
            errno = 0
            let outcome = step(zeroIsDone: true) {
                Int(SSL_sendfile(session, file, off_t(offset), count, 0))
            }
            if outcome == .wantsWrite, errno == EINTR { continue }
            return outcome
        }
    }

    /// Says that nothing was cut off (close_notify); nothing may be sent after it.
    package func sayGoodbye() -> Outcome {
        // 0: said, but the client has not said it yet, which does not matter.
        step(zeroIsDone: true) { Int(SSL_shutdown(session)) }
    }

    /// One call of OpenSSL's, whose error queue must be empty before.
    private func step(zeroIsDone: Bool = false, _ body: () -> Int) -> Outcome {
        if let failure { return .failed(failure) }
        ERR_clear_error()
        errno = 0
        let result = body()
        let code = errno
        if result > 0 || result == 0 && zeroIsDone { return .done(result) }
        switch SSL_get_error(session, Int32(clamping: result)) {
        case SSL_ERROR_WANT_READ: return .wantsRead
        case SSL_ERROR_WANT_WRITE:
            errno = code
            return .wantsWrite
        case SSL_ERROR_ZERO_RETURN: return .ended
        default:
            let said = ERR_peek_last_error() != 0
            reason = said ? TLSError.lastReason() : "the client left"
            // The only one of our callbacks that fails so.
            if reason == "callback failed" { reason = "the name asked for is not served" }
            let failure = code == 0 ? EPROTO : code
            self.failure = failure
            return .failed(failure)
        }
    }
}
