import COpenSSL

/// Why certificates or keys cannot be used; no key material is in any of these (CRED-6).
package enum TLSError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The text holds no certificate in PEM form.
    case noCertificate
    case badCertificate(String)
    /// The text holds no private key in PEM form.
    case noKey
    /// The key opens with a passphrase only, and there is nobody to ask.
    case encryptedKey
    case keyMismatch
    /// OpenSSL does not take it, as for a key that is too short.
    case refused(String)

    package var description: String {
        switch self {
        case .noCertificate: "no certificate in PEM form"
        case .badCertificate(let reason): "a certificate that cannot be read: \(reason)"
        case .noKey: "no private key in PEM form"
        case .encryptedKey: "a private key with a passphrase"
        case .keyMismatch: "the key does not belong to the certificate"
        case .refused(let reason): reason
        }
    }

    /// Whether the key is to blame rather than the certificate.
    package var isOfKey: Bool {
        switch self {
        case .noKey, .encryptedKey, .keyMismatch: true
        case .noCertificate, .badCertificate, .refused: false
        }
    }

    /// What OpenSSL said last on this thread; its queue is empty afterwards.
    static func lastReason() -> String {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        guard code != 0, let text = ERR_reason_error_string(code) else { return "unknown error" }
        return String(cString: text)
    }
}
