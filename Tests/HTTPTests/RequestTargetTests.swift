import Testing

@testable import HTTP

/// HTTP-5: a path is decoded once, and refused where two readers could see two paths.
struct RequestTargetTests {
    @Test(arguments: [
        ("/", "/"), ("/v2", "/v2"), ("/v2/", "/v2/"),
        ("/v2/a/manifests/v1..2", "/v2/a/manifests/v1..2"),
        ("/v2/a/manifests/sha256%3Aab", "/v2/a/manifests/sha256:ab"), ("/%76%32/", "/v2/"),
        ("/a...b/...", "/a...b/..."), ("/%2525", "/%25"), ("/.a/..b", "/.a/..b"),
        ("/v2/;x", "/v2/;x"),
    ])
    func pathsAreDecodedOnce(target: String, path: String) throws {
        #expect(try parsedHead(request(target))?.target.path == path)
    }

    @Test(arguments: [
        "//", "/v2//", "//v2/", "/v2//a", "/.", "/..", "/v2/.", "/v2/..", "/v2/../x", "/v2/./x",
        "/%2e%2e/x", "/%2E", "/v2/.%2e/", "/%2F", "/v2/a%2fb", "/%5C", "/a%5cb", "/a\\b", "/%00",
        "/%0a", "/%0D%0A", "/%7f", "/%20", "/%80", "/%c3%a9", "/é", "/#", "/a#b", "/%", "/%4",
        "/%4g", "/%%41", "/\u{1}", "/%2F%2F..%2F",
    ])
    func pathsOfTwoMeaningsAreRefused(target: String) {
        // CVE-2024-4956 was `/%2F%2F..%2F`.
        #expect(Outcome.atOnce(Array(request(target).utf8)).status == 400)
    }

    @Test func queryIsDecodedAndKeptRaw() throws {
        let target = try #require(
            try parsedHead(
                request("/v2/?ns=registry%3A5000&a&b=&=c&&n=1&n=2&t=x+json&u=%c3%a9&e=a=b&")
            )?.target)
        #expect(
            target.query.map { "\($0.name)=\($0.value)" }
                == ["ns=registry:5000", "a=", "b=", "=c", "n=1", "n=2", "t=x+json", "u=é", "e=a=b"])
        #expect(target.all("n") == ["1", "2"])
        #expect(target.first("n") == "1")
        #expect(target.first("missing") == nil)
        #expect(target.rawQuery?.hasPrefix("ns=registry%3A5000&a&b=") == true)
        #expect(try parsedHead(request("/v2/?"))?.target.rawQuery == "")
        #expect(try parsedHead(request("/v2/"))?.target.rawQuery == nil)
    }

    @Test(arguments: [
        "?a=%", "?a=%0a", "?a=%00", "?a=%7F", "?a=%zz", "?%c3=1", "?a=%ff", "?a=é", "?a#b",
        "?a=\u{1}",
    ])
    func malformedQueriesAreRefused(query: String) {
        #expect(Outcome.atOnce(Array(request("/v2/" + query).utf8)) == .refused(.badQuery))
    }

    @Test func asteriskIsForOptionsAlone() throws {
        #expect(try parsedHead("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")?.target.path == "*")
        #expect(Outcome.atOnce(Array(request("*").utf8)) == .refused(.badTarget))
    }

    @Test(arguments: [
        ("a b/c?d&e=f%", "a%20b%2Fc%3Fd%26e%3Df%25"), ("é", "%C3%A9"), ("A-z_.~9", "A-z_.~9"),
    ])
    func encodingLeavesOnlyUnreservedBytes(text: String, expected: String) throws {
        #expect(PercentEncoding.encode(text) == expected)
        #expect(try parsedHead(request("/?v=" + expected))?.target.first("v") == text)
        #expect(PercentEncoding.encodePath("/v2/a:b c") == "/v2/a:b%20c")
    }
}
