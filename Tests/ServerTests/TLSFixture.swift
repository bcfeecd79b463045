import Server
import TLS
import TestSupport

/// Certificates that all tests of TLS share, since making them takes a moment.
struct TLSFixture: Sendable {
    let authority: TestAuthority
    /// For `a.example` and `localhost`.
    let first: TestAuthority.Pair
    /// For `*.b.example`.
    let second: TestAuthority.Pair
    let client: TestAuthority.Pair

    private static let shared = Result { try TLSFixture() }

    static func get() throws -> TLSFixture { try shared.get() }

    private init() throws {
        authority = try TestAuthority()
        first = try authority.issue(["a.example", "localhost"])
        second = try authority.issue(["*.b.example"], file: "b")
        client = try authority.issue(["client"])
    }

    /// A context with both certificates.
    func context(
        from version: TLSContext.Version = .tls12, clients: Bool = false, names: Set<String>? = nil
    ) throws -> TLSContext {
        try TLSContext(
            [certificate(first), certificate(second)], from: version,
            clients: clients ? TLSAuthorities(Files.read(authority.certificate)) : nil,
            names: names)
    }

    func certificate(_ pair: TestAuthority.Pair) throws -> TLSCertificate {
        try TLSCertificate(chain: pair.certificateBytes, key: pair.keyBytes)
    }

    /// What a client that knows the authority asks for.
    func options(_ name: String? = "a.example") -> ClientTLS.Options {
        ClientTLS.Options(name: name, authority: authority.certificate)
    }
}
