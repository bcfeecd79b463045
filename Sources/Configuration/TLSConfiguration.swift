package import TLS

/// `[tls.NAME]`: a certificate that listeners show, and what they ask of clients.
///
/// The files' contents, so that what is in force does not change when they do, but by a reload.
package struct TLSConfiguration: Sendable, Equatable {
    package var name: String
    /// In PEM: the server's own certificate, then its issuers.
    package var certificate: [UInt8]
    /// The private key, in PEM.
    package var key: Secret
    /// The oldest version of TLS that is spoken.
    package var minVersion: TLSContext.Version
    /// In PEM: whose certificates clients must show; nil asks for none.
    package var clientCA: [UInt8]?

    /// What this is when it is read: certificate and key belong together.
    package func pair() throws(TLSError) -> TLSCertificate {
        try TLSCertificate(chain: certificate, key: key.bytes)
    }
}

extension Configuration {
    /// The certificates of a listener in their order; empty for plain HTTP.
    package func certificates(of listener: ListenerConfiguration) -> [TLSConfiguration] {
        listener.tls.compactMap { name in tls.first { $0.name == name } }
    }
}
