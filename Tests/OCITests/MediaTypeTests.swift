import Testing

@testable import OCI

struct MediaTypeTests {
    @Test(arguments: [
        ("application/json", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        (" Application/VND.OCI.image.index.v1+JSON ;a=b;c=d", MediaType.ociIndex),
        ("", ""), (";", ""), ("\t", ""),
    ])
    func parametersAndCaseAreDropped(value: String, expected: String) {
        #expect(MediaType.stripped(value) == expected)
    }

    @Test(arguments: [
        (MediaType.ociIndex, true), ("a/b", true), ("", false), ("a", false), ("/", false),
        ("a/", false), ("/b", false), ("a/b/c", false), ("a/b c", false), ("a/b\r\nX: y", false),
        ("a/\u{e9}", false), ("a/" + String(repeating: "b", count: 300), false),
    ])
    func onlyATypeAndASubtypeAreAMediaType(text: String, isValid: Bool) {
        #expect(MediaType.isValid(text) == isValid)
    }

    @Test func upstreamsAreAlwaysToldAllTypes() {
        // Registries rewrite lists, or deny OCI manifests, to who does not name the type (INT-5).
        let types = MediaType.accepted.split(separator: ",").map { MediaType.stripped($0) }
        #expect(
            types == [
                MediaType.ociIndex, MediaType.dockerList, MediaType.ociManifest,
                MediaType.dockerManifest, "*/*",
            ])
    }
}
