import Testing

@testable import HTTP

/// Conditions, Cache-Status, dates, challenges and links.
struct HeaderValueTests {
    static let digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

    @Test(arguments: [
        ("\"\(digest)\"", true), ("W/\"\(digest)\"", true), (digest, true), ("*", true),
        ("\"x\", \"\(digest)\"", true), (" * ", true), ("\"x\",W/\"y\" ,  \(digest)", true),
        ("", false), ("\"x\"", false), ("W/\(digest)", false), ("\"\(digest)", false),
        ("w/\"\(digest)\"", false), ("\"*\"", false), (digest + "0", false),
    ])
    func ifNoneMatchComparesWeaklyAndTakesBareDigests(header: String, matches: Bool) {
        #expect(EntityTag(Self.digest).matches(ifNoneMatch: header) == matches)
    }

    @Test(arguments: [
        ("\"\(digest)\"", true), (" \"\(digest)\" ", true), ("W/\"\(digest)\"", false),
        (digest, false),
        ("*", false), ("\"\(digest)\", \"x\"", false), ("Sun, 06 Nov 1994 08:49:37 GMT", false),
        ("", false),
    ])
    func ifRangeComparesStrongly(header: String, matches: Bool) {
        // HTTP-7, RFC 9110 §13.1.5.
        #expect(EntityTag(Self.digest).matches(ifRange: header) == matches)
    }

    @Test(arguments: [
        (CacheStatus.hit(), "cistern; hit"), (.hit(ttl: 512), "cistern; hit; ttl=512"),
        (
            CacheStatus(forward: .uriMiss, forwardStatus: 200, stored: true),
            "cistern; fwd=uri-miss; fwd-status=200; stored"
        ),
        (
            CacheStatus(forward: .stale, forwardStatus: 429, detail: "served-stale"),
            "cistern; fwd=stale; fwd-status=429; detail=served-stale"
        ),
        (CacheStatus(forward: .uriMiss, collapsed: true), "cistern; fwd=uri-miss; collapsed"),
        (CacheStatus(hit: true, detail: "a \"b\\\r\nc"), #"cistern; hit; detail="a \"b\\c""#),
    ])
    func cacheStatusIsWrittenAsTheStandardWants(status: CacheStatus, expected: String) {
        // RFC 9211.
        #expect(status.value() == expected)
        #expect(status.value(appendingTo: "edge; hit") == "edge; hit, " + expected)
        #expect(status.value(appendingTo: "edge\r\nX: y") == expected)
        #expect(status.value(appendingTo: String(repeating: "x", count: 2000)) == expected)
    }

    @Test(arguments: [
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ])
    func datesAreWrittenAndReadBack(seconds: Int64, text: String) {
        #expect(HTTPDate.format(seconds) == text)
        #expect(HTTPDate.parse(text) == seconds)
        var cache = HTTPDateCache()
        #expect(String(decoding: cache.bytes(seconds), as: UTF8.self) == text)
        #expect(String(decoding: cache.bytes(seconds), as: UTF8.self) == text)
    }

    @Test func daysOfFourCenturiesAreReadBack() {
        // 13 is prime to the lengths of months, years and eras: every kind of day has its turn.
        for day in stride(from: Int64(0), to: 146_097, by: 13) {
            let seconds = day * 86400 + day % 86400
            if HTTPDate.parse(HTTPDate.format(seconds)) != seconds {
                Issue.record("day \(day)")
                return
            }
        }
    }

    @Test func timesWithoutADateAreClamped() {
        // OPS-4: a jump of the clock must not trap.
        #expect(HTTPDate.format(.min) == HTTPDate.format(0))
        #expect(HTTPDate.format(.max) == "Fri, 31 Dec 9999 23:59:59 GMT")
    }

    @Test(
        arguments: [
            ("120", 120), (" 0 ", 0), ("99999999999999999999", .max),
            ("Thu, 01 Jan 1970 00:01:40 GMT", 90), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("", nil), ("-1", nil), ("1.5", nil), ("soon", nil),
            ("Thursday, 01-Jan-70 00:00:00 GMT", nil),
            ("Thu, 99 Jan 1970 00:00:00 GMT", nil), ("Thu, 01 Foo 1970 00:00:00 GMT", nil),
        ] as [(String, Int64?)])
    func retryAfterIsSecondsOrADate(text: String, expected: Int64?) {
        #expect(RetryAfter.seconds(text, now: 10) == expected)
    }

    @Test func dockerHubsChallengeIsRead() throws {
        let line =
            #"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull,push""#
        let challenge = try #require(Challenge.parse([line]).first)
        #expect(challenge.scheme == "bearer")
        #expect(challenge["realm"] == "https://auth.docker.io/token")
        #expect(challenge["service"] == "registry.docker.io")
        #expect(challenge["scope"] == "repository:library/alpine:pull,push")
    }

    @Test(arguments: [
        ([#"Basic realm="x", Bearer realm="y",a=b"#], ["basic realm=x", "bearer realm=y a=b"]),
        ([#"Basic realm="x""#, #"bearer Realm=y"#], ["basic realm=x", "bearer realm=y"]),
        (["Negotiate, Basic realm=x"], ["negotiate", "basic realm=x"]),
        (["Negotiate"], ["negotiate"]), (["Negotiate abc+/=="], ["negotiate :abc+/=="]),
        (["Negotiate abc==, Basic realm=x"], ["negotiate :abc==", "basic realm=x"]),
        ([#"Bearer realm = "a\"b\\c" , , x=y ,"#], [#"bearer realm=a"b\c x=y"#]),
        ([""], []), ([","], []), (["\"x\""], []), ([#"Bearer realm="open"#], []),
        ([#"Bearer realm="a" junk"#], []), (["Bearer realm="], ["bearer :realm="]),
        ([#"Bearer realm="a", junk"#], ["bearer realm=a", "junk"]), (["=x"], []),
        ([#"Basic realm="ok", Bearer realm="open"#], ["basic realm=ok"]),
    ])
    func challengesAreFoundInEveryForm(lines: [String], expected: [String]) {
        // protocol.md §2.1.
        let found = Challenge.parse(lines).map { challenge in
            ([challenge.scheme] + challenge.parameters.map { "\($0.name)=\($0.value)" }
                + (challenge.token.map { [":" + $0] } ?? [])).joined(separator: " ")
        }
        #expect(found == expected)
    }

    @Test func challengesBeyondEightKibibytesAreNotRead() {
        // RES-2.
        let long = "Bearer realm=" + String(repeating: "x", count: Challenge.bytesMax)
        #expect(Challenge.parse([long]).isEmpty)
        #expect(Challenge.parse(["Basic realm=a", long]).count == 1)
    }

    @Test(
        arguments: [
            (#"</v2/a/tags/list?n=5&last=b>; rel="next""#, "/v2/a/tags/list?n=5&last=b"),
            ("<x>;rel=next", "x"), (#"<a>; rel="prev", <b>; title="<,>;"; REL="Last Next""#, "b"),
            (#"<a>; rel="prev""#, nil), ("<a>", nil), ("", nil), ("<a", nil), ("<>; rel=next", nil),
            ("<a b>; rel=next", nil), ("<a\r\nX: y>; rel=next", nil), ("<a>; rel=nextx", nil),
            ("a>; rel=next", nil),
        ] as [(String, String?)])
    func nextLinkIsFound(value: String, expected: String?) {
        #expect(LinkHeader.next(in: value) == expected)
    }

    @Test func writtenLinkIsReadBack() {
        let target = "/v2/a/tags/list?n=5&last=b&ns=docker.io"
        #expect(LinkHeader.next(in: LinkHeader.build(next: target)) == target)
        let long = String(repeating: "x", count: LinkHeader.bytesMax)
        #expect(LinkHeader.next(in: LinkHeader.build(next: long)) == nil)
    }
}
