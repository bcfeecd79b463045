import Testing

@testable import Upstream

@Suite struct RemoteURLTests {
    @Test func partsAreThoseThatAreDialled() throws {
        let url = try #require(RemoteURL(parsing: "HTTPS://Example.ORG/a/../b%2F?x=%20&y"))
        #expect(url.scheme == .https && url.host == "example.org" && url.port == 443)
        #expect(url.path == "/a/../b%2F" && url.query == "x=%20&y")
        #expect(url.origin.description == "https://example.org")
        let six = try #require(RemoteURL(parsing: "http://[::1]:5000"))
        #expect(six.host == "[::1]" && six.port == 5000 && six.path == "/")
        #expect(six.description == "http://[::1]:5000")
    }

    @Test(arguments: [
        "", "/x", "x", "ftp://a/", "file:///x", "http://", "http:///x", "https:////x/",
        "http://u@a/", "http://u:p@a/", "http://@a/", "http://a/#", "http://a/#f", "http://a b/",
        "http://a/ b", "http://a/\r\nX: y", "http://a\\b/", "http://ä/", "http://a:0/",
        "http://a:65536/", "http://a:x/", "javascript:alert(1)", "http:a", "//a/b",
        "http://2130706%33/", "http://%30/", "http://1.2.3.4.%80/", "http://%C3%A4/",
    ])
    func whatIsAmbiguousIsRefused(text: String) {  // SSRF-2
        #expect(RemoteURL(parsing: text) == nil)
    }

    @Test func eightKibibytesAreTheLimit() {  // SSRF-2
        let fits = "http://a/" + String(repeating: "x", count: (8 << 10) - 9)
        #expect(RemoteURL(parsing: fits) != nil)
        #expect(RemoteURL(parsing: fits + "x") == nil)
    }

    @Test(arguments: [
        ("/y", "http://a:81/y"), ("y?z", "http://a:81/p/y?z"), ("?z", "http://a:81/p/x?z"),
        ("//b/y", "http://b/y"), ("https://b", "https://b/"), ("HTTP://B:80/", "http://b/"),
    ])
    func referencesAreResolved(reference: String, expected: String) throws {
        let base = try #require(RemoteURL(parsing: "http://a:81/p/x?q"))
        let url = try #require(RemoteURL(resolving: reference, against: base))
        let wanted = try #require(RemoteURL(parsing: expected))
        #expect(url.origin == wanted.origin)
        #expect(url.path == wanted.path && url.query == wanted.query)
    }
}
