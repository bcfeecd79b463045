import OCI
import TestSupport
import Testing

@testable import Migration

/// How registries and images are written.
@Suite struct RegistryAddressTests {
    @Test(arguments: [
        ("registry.example.org", "https://registry.example.org", "registry.example.org", ""),
        ("https://r.example.org:443/", "https://r.example.org", "r.example.org", ""),
        ("http://10.0.0.7:5000", "http://10.0.0.7:5000", "10.0.0.7:5000", ""),
        ("127.0.0.1:5000/releases", "http://127.0.0.1:5000", "127.0.0.1:5000", "releases"),
        ("localhost:5000", "http://localhost:5000", "localhost:5000", ""),
        ("[::1]:5000", "http://[::1]:5000", "[::1]:5000", ""),
        ("https://127.0.0.1:5000/a/b/", "https://127.0.0.1:5000", "127.0.0.1:5000", "a/b"),
        ("docker.io", "https://registry-1.docker.io", "docker.io", ""),
    ])
    func addressesAreRead(text: String, base: String, host: String, prefix: String) throws {
        let address = try #require(RegistryAddress(parsing: text))
        #expect(address.base == base)
        #expect(address.host == host)
        #expect(address.prefix == prefix)
    }

    @Test(arguments: [
        "", "/", "http://", "ftp://a.example/", "https://u:p@a.example", "a.example/../b",
        "a.example/A", "a.example/b?c=d", "a b", "a.example:x", "a.example/\u{1b}[2J",
        "a.example#f",
    ])
    func whatIsNoAddressIsRefused(text: String) {
        #expect(RegistryAddress(parsing: text) == nil)
    }

    @Test func aNexusMayHaveAPath() throws {
        let nexus = try #require(RegistryAddress(application: "https://example.org/nexus/"))
        #expect(nexus.base == "https://example.org/nexus")
        #expect(nexus.below("repository/r").base == "https://example.org/nexus/repository/r")
        let root = try #require(RegistryAddress(application: "http://10.0.0.1:8081/"))
        #expect(root.base == "http://10.0.0.1:8081")
        #expect(RegistryAddress(application: "https://example.org/?a=b") == nil)
    }

    @Test func namesGoBelowThePath() throws {
        let address = try #require(RegistryAddress(parsing: "c.example/releases"))
        let name = try #require(RepositoryName(parsing: "team/app"))
        #expect(address.name(of: name)?.text == "releases/team/app")
        #expect(address.with(prefix: "old")?.prefix == "releases/old")
        #expect(address.with(prefix: "")?.prefix == "releases")
        #expect(address.with(prefix: "../x") == nil)
        let long = try #require(RepositoryName(parsing: String(repeating: "a", count: 250)))
        #expect(address.name(of: long) == nil)
    }

    @Test(arguments: [
        ("nginx", "docker.io/library/nginx", "docker.io"),
        ("nginx:1.27", "docker.io/library/nginx:1.27", "docker.io"),
        ("acme/shop:2", "docker.io/acme/shop:2", "docker.io"),
        ("docker.io/nginx", "docker.io/library/nginx", "docker.io"),
        ("docker://quay.io/a/b:c", "quay.io/a/b:c", "quay.io"),
        ("localhost/a", "localhost/a", "localhost"),
        ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b", "127.0.0.1:5000"),
        ("http://h/a/b:c", "h/a/b:c", "h"),
    ])
    func imagesAreRead(text: String, shown: String, host: String) throws {
        let image = try #require(ImageReference(parsing: text))
        #expect("\(image)" == shown)
        #expect(image.registry.host == host)
    }

    @Test func ofATagAndADigestTheDigestCounts() throws {
        let digest = "sha256:" + String(repeating: "a", count: 64)
        let image = try #require(ImageReference(parsing: "h.example/a:b@\(digest)"))
        #expect(image.reference == Reference(parsing: digest))
    }

    @Test(arguments: [
        "", "a.example/", "a.example/A:b", "a.example/b:", "a.example/b@sha256:x",
        "a.example/b:c:d",
        "a.example/../b:c", "http://a.example", "a.example/b c",
    ])
    func whatIsNoImageIsRefused(text: String) {
        #expect(ImageReference(parsing: text) == nil)
    }

    @Test func renamingsHaveOneSign() {
        #expect(CopyJob.Renaming(parsing: "a")?.new == nil)
        #expect(CopyJob.Renaming(parsing: "a=b")?.new == "b")
        #expect(CopyJob.Renaming(parsing: "a=")?.new == "")
        for text in ["", "=b", "a=b=c"] { #expect(CopyJob.Renaming(parsing: text) == nil) }
    }
}
