import COpenSSL
import Glibc

/// A client's side of TLS over a blocking socket, by OpenSSL.
///
/// Not Sendable; it belongs to one connection of one test.
package final class ClientTLS {
    /// What the client asks for and shows.
    package struct Options: Sendable {
        /// The server's name, sent and checked; nil sends none and checks none.
        package var name: String?
        /// The authority's certificate; nil trusts any.
        package var authority: String?
        /// Certificate and key to show.
        package var pair: TestAuthority.Pair?
        package var versions: ClosedRange<Int32> = TLS1_VERSION...TLS1_3_VERSION
        /// Protocols to offer, as ALPN writes them, such as `http/1.1`.
        package var protocols: [String] = []
        /// A session to go on with.
        package var session: Session?

        package init(name: String? = nil, authority: String? = nil) {
            self.name = name
            self.authority = authority
        }
    }

    /// A session that may be resumed; freed with its last owner.
    ///
    /// `@unchecked Sendable`: never changed, and its references are counted atomically.
    package final class Session: @unchecked Sendable {
        fileprivate let pointer: OpaquePointer

        fileprivate init(_ pointer: OpaquePointer) { self.pointer = pointer }

        deinit { SSL_SESSION_free(pointer) }
    }

    /// What a read came to.
    package enum Received: Equatable {
        case bytes(Int)
        /// The server said that nothing was cut off.
        case closeNotify
        /// The stream ended without a word.
        case truncated
        case failed(String)
    }

    private let context: OpaquePointer
    private let session: OpaquePointer

    /// Shakes hands; throws what OpenSSL says of a refusal.
    package init(over descriptor: Int32, _ options: Options) throws {
        signal(SIGPIPE, SIG_IGN)
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_client_method()), let session = Self.session(context)
        else { throw TestFailure("no memory for TLS") }
        self.context = context
        self.session = session
        try set(options)
        SSL_set_fd(session, descriptor)
        guard SSL_connect(session) == 1 else {
            throw TestFailure("handshake: \(Self.reason())")
        }
    }

    deinit {
        SSL_free(session)
        SSL_CTX_free(context)
    }

    private static func session(_ context: OpaquePointer) -> OpaquePointer? {
        // Old versions are offered too, to see them refused.
        SSL_CTX_set_security_level(context, 0)
        return SSL_new(context)
    }

    private func set(_ options: Options) throws {
        copenssl_set_versions(
            session, options.versions.lowerBound, options.versions.upperBound)
        if let name = options.name {
            copenssl_set_server_name(session, name)
            SSL_set1_host(session, name)
        }
        if let authority = options.authority {
            let store = SSL_CTX_get_cert_store(context)
            guard X509_STORE_load_file(store, authority) == 1 else {
                throw TestFailure("cannot read \(authority)")
            }
            SSL_set_verify(session, SSL_VERIFY_PEER, nil)
        }
        if let pair = options.pair {
            guard SSL_use_certificate_file(session, pair.certificate, SSL_FILETYPE_PEM) == 1,
                SSL_use_PrivateKey_file(session, pair.key, SSL_FILETYPE_PEM) == 1
            else { throw TestFailure("cannot use \(pair.certificate)") }
        }
        if !options.protocols.isEmpty {
            let list = options.protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
            SSL_set_alpn_protos(session, list, UInt32(list.count))
        }
        if let resumed = options.session { SSL_set_session(session, resumed.pointer) }
    }

    private static func reason() -> String {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        return ERR_reason_error_string(code).map { String(cString: $0) } ?? "connection ended"
    }

    /// Sends everything; false if the server has ended the connection.
    package func send(_ bytes: [UInt8]) -> Bool {
        ERR_clear_error()
        return SSL_write(session, bytes, Int32(bytes.count)) == Int32(bytes.count)
    }

    package func receive(_ buffer: inout [UInt8]) -> Received {
        ERR_clear_error()
        let count = SSL_read(session, &buffer, Int32(buffer.count))
        if count > 0 { return .bytes(Int(count)) }
        switch SSL_get_error(session, count) {
        case SSL_ERROR_ZERO_RETURN: return .closeNotify
        case SSL_ERROR_WANT_READ: return .failed("timed out")
        default:
            let reason = Self.reason()
            return reason == "unexpected eof while reading" ? .truncated : .failed(reason)
        }
    }

    /// Asks for a new handshake within the connection (TLS 1.2); whether the server took part.
    package func renegotiate() -> Bool {
        ERR_clear_error()
        return SSL_renegotiate(session) == 1 && SSL_do_handshake(session) == 1
            && SSL_renegotiate_pending(session) == 0
    }

    /// Changes the keys and asks the server for the same (TLS 1.3).
    package func updateKeys() -> Bool {
        SSL_key_update(session, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(session) == 1
    }

    /// Ends our direction in order.
    package func sayGoodbye() { SSL_shutdown(session) }

    /// The session to be resumed; with TLS 1.3 only after something was read.
    package var resumable: Session? { SSL_get1_session(session).map(Session.init) }

    package var isResumed: Bool { SSL_session_reused(session) == 1 }

    package var version: Int32 { SSL_version(session) }

    /// The protocol agreed upon by ALPN.
    package var chosenProtocol: String {
        var (name, length): (UnsafePointer<UInt8>?, UInt32) = (nil, 0)
        SSL_get0_alpn_selected(session, &name, &length)
        return String(
            decoding: UnsafeBufferPointer(start: name, count: Int(length)), as: UTF8.self)
    }

    /// The name in the server's certificate.
    package var serverName: String {
        guard let certificate = SSL_get1_peer_certificate(session) else { return "" }
        defer { X509_free(certificate) }
        var text = [CChar](repeating: 0, count: 256)
        let subject = X509_get_subject_name(certificate)
        X509_NAME_get_text_by_NID(subject, NID_commonName, &text, Int32(text.count))
        return String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
