import COpenSSL
import Glibc

/// A server's certificate with its chain and its private key, which belong together.
///
/// `@unchecked Sendable`: nothing of it is changed after `init`, and OpenSSL counts references to
/// it atomically.
package final class TLSCertificate: @unchecked Sendable {
    let leaf: OpaquePointer
    /// Issuers, to be sent behind the leaf.
    let chain: [OpaquePointer]
    let key: OpaquePointer

    /// Reads PEM texts: the server's own certificate first, its issuers behind it; and its key.
    package init(chain text: [UInt8], key keyText: [UInt8]) throws(TLSError) {
        let certificates = try PEM.certificates(in: text)
        let key: OpaquePointer
        do throws(TLSError) {
            key = try PEM.privateKey(in: keyText)
        } catch {
            for certificate in certificates { X509_free(certificate) }
            throw error
        }
        leaf = certificates[0]
        chain = Array(certificates.dropFirst())
        self.key = key
        guard X509_check_private_key(leaf, key) == 1 else {
            ERR_clear_error()
            throw .keyMismatch
        }
    }

    deinit {
        X509_free(leaf)
        for certificate in chain { X509_free(certificate) }
        EVP_PKEY_free(key)
    }

    /// Whether its time is over by the system's clock.
    package var hasExpired: Bool { X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0 }

    /// The second since 1970 in which its time is over.
    package var notAfter: Int64? {
        var time = tm()
        guard ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &time) == 1 else { return nil }
        return Int64(timegm(&time))
    }

    /// Whether its time has not begun by the system's clock.
    package var isNotYetValid: Bool { X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0 }

    /// Whether it is for `name`, wildcards included (RFC 6125).
    func covers(_ name: UnsafePointer<CChar>) -> Bool {
        X509_check_host(leaf, name, 0, 0, nil) == 1
    }
}

/// Authorities whose certificates clients must show.
///
/// `@unchecked Sendable`: nothing of it is changed after `init`, and OpenSSL counts references to
/// it atomically.
package final class TLSAuthorities: @unchecked Sendable {
    let certificates: [OpaquePointer]

    /// Reads PEM text with one certificate or more.
    package init(_ text: [UInt8]) throws(TLSError) {
        certificates = try PEM.certificates(in: text)
    }

    deinit {
        for certificate in certificates { X509_free(certificate) }
    }
}
