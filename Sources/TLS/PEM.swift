import COpenSSL

/// Reads what stands in PEM text between `-----BEGIN` and `-----END`.
enum PEM {
    /// All certificates in their order; whoever takes them frees them.
    static func certificates(in text: [UInt8]) throws(TLSError) -> [OpaquePointer] {
        guard let input = input(text) else { throw .noCertificate }
        defer { BIO_free(input) }
        var found: [OpaquePointer] = []
        while true {
            ERR_clear_error()
            if let certificate = PEM_read_bio_X509(input, nil, refusePassphrase, nil) {
                found.append(certificate)
                continue
            }
            let error = ERR_peek_last_error()
            let reason = TLSError.lastReason()
            if error.isEndOfText, !found.isEmpty { return found }
            for certificate in found { X509_free(certificate) }
            throw error.isEndOfText ? .noCertificate : .badCertificate(reason)
        }
    }

    /// The first private key; whoever takes it frees it.
    static func privateKey(in text: [UInt8]) throws(TLSError) -> OpaquePointer {
        ERR_clear_error()
        guard let input = input(text) else { throw .noKey }
        defer { BIO_free(input) }
        if let key = PEM_read_bio_PrivateKey(input, nil, refusePassphrase, nil) { return key }
        ERR_clear_error()
        // Its PEM header says so, which the decoder's own reasons do not reliably.
        throw String(decoding: text, as: UTF8.self).contains("ENCRYPTED") ? .encryptedKey : .noKey
    }

    /// A view of `text` for OpenSSL, which copies it.
    private static func input(_ text: [UInt8]) -> OpaquePointer? {
        guard !text.isEmpty, let input = BIO_new(BIO_s_mem()) else { return nil }
        let written = BIO_write(input, text, Int32(clamping: text.count))
        guard written == text.count else {
            BIO_free(input)
            return nil
        }
        return input
    }
}

/// Called by OpenSSL where a passphrase is needed; it would ask the terminal by itself.
private func refusePassphrase(
    _: UnsafeMutablePointer<CChar>?, _: Int32, _: Int32, _: UnsafeMutableRawPointer?
) -> Int32 { -1 }

extension UInt {
    /// Whether an error of the PEM reader only says that nothing more stands in the text.
    fileprivate var isEndOfText: Bool {
        let reason = Int32(truncatingIfNeeded: self & 0x7F_FFFF)
        return reason == PEM_R_NO_START_LINE
    }
}
