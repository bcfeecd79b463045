import COpenSSL

/// What a listener's handshakes need: certificates, and the rules for what is agreed upon (TLS-4).
///
/// TLS 1.2 or 1.3 without renegotiation and compression. Nothing is kept of a session: tickets hold
/// it, sealed by a key that lives as long as this object.
///
/// `@unchecked Sendable`: nothing of it is changed after `init`; what OpenSSL keeps of its own in
/// an `SSL_CTX` (reference counts, ticket keys) it locks itself.
package final class TLSContext: @unchecked Sendable {
    /// The oldest version that is spoken.
    package enum Version: String, Sendable, CaseIterable {
        case tls12 = "1.2"
        case tls13 = "1.3"
    }

    /// AES-128 first: a quarter cheaper than AES-256 and as good for this.
    private static let ciphersOf12 = """
        ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
        ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305
        """
    private static let ciphersOf13 =
        "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

    /// One per certificate, in order; a handshake begins with the first and may change over.
    private let contexts: [OpaquePointer]
    private let certificates: [TLSCertificate]
    /// Names that are served although no certificate is for them; nil for any.
    private let names: Set<String>?

    /// `certificates` are chosen from by name, the first is the usual one.
    ///
    /// With `clients` only clients are served that show a certificate signed by one of those. A
    /// name that neither a certificate is for nor is in `names` is refused; nil refuses none.
    package init(
        _ certificates: [TLSCertificate], from version: Version = .tls12,
        clients: TLSAuthorities? = nil, names: Set<String>? = nil
    ) throws(TLSError) {
        guard !certificates.isEmpty else { throw .noCertificate }
        var contexts: [OpaquePointer] = []
        do throws(TLSError) {
            for certificate in certificates {
                let context = try Self.bare(version)
                contexts.append(context)
                try Self.use(certificate, in: context)
                if let clients { try Self.demand(clients, in: context) }
            }
        } catch {
            for context in contexts { SSL_CTX_free(context) }
            throw error
        }
        self.contexts = contexts
        self.certificates = certificates
        self.names = names
        // Whoever has a session holds this object, so the pointer outlives all calls.
        copenssl_on_server_name(
            contexts[0], onServerName, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        for context in contexts { SSL_CTX_free(context) }
    }

    /// A session's state for a new connection; nil without memory.
    func newSession() -> OpaquePointer? { SSL_new(contexts[0]) }

    /// Gives `session` the certificate for the name asked for; false refuses the handshake.
    fileprivate func chooseCertificate(for session: OpaquePointer) -> Bool {
        guard let name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name) else { return true }
        if let index = certificates.firstIndex(where: { $0.covers(name) }) {
            return index == 0 || SSL_set_SSL_CTX(session, contexts[index]) != nil
        }
        return names?.contains(String(cString: name).lowercased()) ?? true
    }

    // MARK: - Making

    private static func bare(_ version: Version) throws(TLSError) -> OpaquePointer {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_server_method()) else {
            throw .refused(TLSError.lastReason())
        }
        let oldest = version == .tls13 ? TLS1_3_VERSION : TLS1_2_VERSION
        let identity = Array("cistern".utf8)
        guard copenssl_set_min_version(context, oldest) == 1,
            SSL_CTX_set_cipher_list(context, ciphersOf12) == 1,
            SSL_CTX_set_ciphersuites(context, ciphersOf13) == 1,
            // Without it OpenSSL refuses to resume where clients have certificates.
            SSL_CTX_set_session_id_context(context, identity, UInt32(identity.count)) == 1,
            SSL_CTX_set_num_tickets(context, 1) == 1
        else {
            SSL_CTX_free(context)
            throw .refused(TLSError.lastReason())
        }
        copenssl_set_server_options(context)
        _ = copenssl_session_cache_off(context)
        _ = copenssl_set_mode(
            context,
            Int(
                SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                    | SSL_MODE_RELEASE_BUFFERS))
        SSL_CTX_set_alpn_select_cb(context, onProtocols, nil)
        return context
    }

    private static func use(
        _ certificate: TLSCertificate, in context: OpaquePointer
    ) throws(TLSError) {
        guard SSL_CTX_use_certificate(context, certificate.leaf) == 1,
            SSL_CTX_use_PrivateKey(context, certificate.key) == 1
        else { throw .refused(TLSError.lastReason()) }
        for issuer in certificate.chain
        where copenssl_add_chain_certificate(context, issuer) != 1 {
            throw .refused(TLSError.lastReason())
        }
    }

    private static func demand(
        _ clients: TLSAuthorities, in context: OpaquePointer
    ) throws(TLSError) {
        guard let store = SSL_CTX_get_cert_store(context) else {
            throw .refused(TLSError.lastReason())
        }
        for authority in clients.certificates {
            guard X509_STORE_add_cert(store, authority) == 1,
                SSL_CTX_add_client_CA(context, authority) == 1
            else { throw .refused(TLSError.lastReason()) }
        }
        // What is named is trusted, whether or not it is signed by itself.
        _ = X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    }
}

/// Called by OpenSSL in a handshake, when the client's hello is read.
private func onServerName(
    _ session: OpaquePointer?, _ alert: UnsafeMutablePointer<Int32>?,
    _ argument: UnsafeMutableRawPointer?
) -> Int32 {
    guard let session, let argument else { return SSL_TLSEXT_ERR_OK }
    let context = Unmanaged<TLSContext>.fromOpaque(argument).takeUnretainedValue()
    if context.chooseCertificate(for: session) { return SSL_TLSEXT_ERR_OK }
    alert?.pointee = SSL_AD_UNRECOGNIZED_NAME
    return SSL_TLSEXT_ERR_ALERT_FATAL
}

/// Called by OpenSSL with the protocols that the client offers, each with its length before it.
private func onProtocols(
    _: OpaquePointer?, _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ chosenLength: UnsafeMutablePointer<UInt8>?, _ offered: UnsafePointer<UInt8>?,
    _ length: UInt32, _: UnsafeMutableRawPointer?
) -> Int32 {
    let wanted: StaticString = "http/1.1"
    let list = UnsafeBufferPointer(start: offered, count: Int(length))
    var start = 0
    while start < list.count {
        let end = start + 1 + Int(list[start])
        guard end <= list.count, let base = list.baseAddress else { break }
        let name = UnsafeBufferPointer(rebasing: list[(start + 1)..<end])
        if wanted.withUTF8Buffer({ $0.elementsEqual(name) }) {
            chosen?.pointee = base + start + 1
            chosenLength?.pointee = UInt8(truncatingIfNeeded: name.count)
            return SSL_TLSEXT_ERR_OK
        }
        start = end
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
}
