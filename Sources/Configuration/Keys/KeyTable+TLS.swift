import TLS

/// Keys of `[tls.NAME]`.
enum TLSKeys {
    static let certificate = Key(
        "certificate", .absolutePath, default: .required,
        also: ["cert", "crt", "certificate_file", "cert_file", "ssl_certificate", "chain"],
        "PEM file with the server's certificate and its issuers behind it.")
    static let key = Key(
        "key", .keyFile, default: .required,
        also: ["private_key", "key_file", "keyfile", "ssl_certificate_key"],
        "PEM file with the private key, without passphrase, readable by its owner only.")
    static let minVersion = Key(
        "min_version", ValueKind<TLSContext.Version>.choice, default: .toml("\"1.2\""),
        also: ["version", "minimum_version", "minimumtls", "tls_version", "ssl_protocols"],
        "The oldest version of TLS that is spoken: 1.2 or 1.3.")
    static let clientCA = Key(
        "client_ca", .absolutePath, default: .computed("clients show no certificate"),
        also: ["client_cas", "clientcas", "client_ca_file", "mtls", "ssl_client_certificate"],
        "PEM file with authorities; clients must show a certificate signed by one of them.")

    static let section = Section(
        name: "tls.NAME", whereabouts: "in a table of tls",
        keys: [
            certificate.description, key.description, minVersion.description,
            clientCA.description,
        ])
}
