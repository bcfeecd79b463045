import Testing

@testable import OCI

/// The grammar of repository names, tags and references (protocol.md §1.1).
struct NameTests {
    @Test(arguments: [
        "a", "library/alpine", "a/blobs/b", "a/manifests/b", "foo.bar/baz_qux/x__y", "a---b",
        "0/1/2",
        "prometheus/node-exporter", String(repeating: "a", count: 255),
        String(repeating: "4", count: 64),
    ])
    func namesOfTheGrammarAreRead(text: String) throws {
        let name = try #require(RepositoryName(parsing: text))
        #expect(name.text == text)
        #expect(name.components.joined(separator: "/") == text)
    }

    @Test(arguments: [
        "", "/", "a/", "/a", "a//b", "A", "a/B", "a..b", "a___b", "a._b", "a-.b", "-a", "a-", ".a",
        "a.", "_a", "a_", "a/-b", "a-/b", "..", "a/../b", "a/./b", "a%2fb", "a\\b", "a b", "a\nb",
        "a\0", "é", "a:b", "_catalog", String(repeating: "a", count: 256),
        String(repeating: "a", count: 1_000_000),
    ])
    func otherNamesAreRefused(text: String) {
        #expect(RepositoryName(parsing: text) == nil)
    }

    @Test func componentsAreThePartsBetweenSlashes() throws {
        let name = try #require(RepositoryName(parsing: "quay.io/prometheus/busybox"))
        #expect(name.components == ["quay.io", "prometheus", "busybox"])
    }

    @Test(arguments: [
        "latest", "1.2.3", "_x", "A", "v1..2", "a-", "a.", String(repeating: "t", count: 128),
    ])
    func tagsOfTheGrammarAreRead(text: String) {
        #expect(Tag(parsing: text)?.text == text)
        #expect(Reference(parsing: text)?.tag?.text == text)
    }

    @Test(arguments: [
        "", ".a", "-a", "a:b", "a/b", "a b", "a+b", "ä", "..", "a\0",
        String(repeating: "t", count: 129),
    ])
    func otherTagsAreRefused(text: String) {
        #expect(Tag(parsing: text) == nil)
        #expect(Reference(parsing: text) == nil)
    }

    @Test func colonDecidesThatAReferenceIsADigest() throws {
        let text = "sha256:" + DigestTests.hex256
        #expect(Reference(parsing: text) == Digest(parsing: text).map(Reference.digest))
        #expect(Reference(parsing: "sha256:abc") == nil)
        #expect(Reference(parsing: "sha256")?.tag?.text == "sha256")
        #expect(Reference(parsing: text)?.description == text)
    }

    @Test func tagsSortInAsciiOrder() {
        let tags = ["b", "a", "B", "10", "9", "_"].compactMap { Tag(parsing: $0) }
        #expect(tags.sorted().map(\.text) == ["10", "9", "B", "_", "a", "b"])
    }
}
