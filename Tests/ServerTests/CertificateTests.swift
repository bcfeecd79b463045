import TLS
import TestSupport
import Testing

/// What is said of certificates and keys that cannot be used.
@Suite struct CertificateTests {
    @Test func aKeyOfAnotherCertificateIsFoundOut() throws {
        let fixture = try TLSFixture.get()
        #expect(throws: TLSError.keyMismatch) {
            try TLSCertificate(
                chain: fixture.first.certificateBytes, key: fixture.second.keyBytes)
        }
    }

    @Test func aChainFollowsItsLeaf() throws {
        let fixture = try TLSFixture.get()
        let chain =
            try fixture.first.certificateBytes + Files.read(fixture.authority.certificate)
        _ = try TLSContext([TLSCertificate(chain: chain, key: fixture.first.keyBytes)])
        // Key and certificate in one file, as some tools write them.
        let both = try fixture.first.keyBytes + fixture.first.certificateBytes
        _ = try TLSContext([TLSCertificate(chain: both, key: both)])
    }

    @Test func whatIsNotPEMIsSaidToBeNone() throws {
        let fixture = try TLSFixture.get()
        let (chain, key) = try (fixture.first.certificateBytes, fixture.first.keyBytes)
        for bytes in [[], [0, 1, 2], Array("hello\n".utf8), key] {
            #expect(throws: TLSError.noCertificate) { try TLSCertificate(chain: bytes, key: key) }
        }
        for bytes in [[], [0xFF], chain] {
            #expect(throws: TLSError.noKey) { try TLSCertificate(chain: chain, key: bytes) }
        }
        #expect(throws: TLSError.self) {
            try TLSCertificate(chain: Array(chain.dropLast(80)), key: key)
        }
        #expect(throws: TLSError.noCertificate) { try TLSAuthorities([]) }
    }

    @Test func aPassphraseIsNeverAskedFor() throws {
        let fixture = try TLSFixture.get()
        let file = fixture.authority.directory.file("sealed.key")
        try Command.succeed(
            "openssl",
            ["pkey", "-in", fixture.first.key, "-aes128", "-passout", "pass:x", "-out", file])
        #expect(throws: TLSError.encryptedKey) {
            try TLSCertificate(chain: fixture.first.certificateBytes, key: Files.read(file))
        }
    }

    @Test func timesAreKnown() throws {
        let fixture = try TLSFixture.get()
        let good = try fixture.certificate(fixture.first)
        #expect(!good.hasExpired && !good.isNotYetValid)
        let old = try fixture.certificate(fixture.authority.issue(["old.example"], days: -1))
        #expect(old.hasExpired)
    }
}
