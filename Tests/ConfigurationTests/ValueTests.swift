import Linux
import Testing

@testable import Configuration

@Suite struct ValueTests {
    @Test(
        arguments: [
            ("1B", 1), ("500MB", 500_000_000), ("50GiB", 50 << 30), ("50 GiB", 50 << 30),
            ("1.5kB", 1500), ("0.5KiB", 512), ("2tib", 2 << 40), ("8191PiB", 8191 << 50),
        ] as [(String, Int64)])
    func sizesHaveUnits(text: String, bytes: Int64) throws {
        let configuration = try accept("limits.blob_size = \"\(text)\"")
        #expect(configuration.limits.blobSize == bytes)
    }

    @Test(arguments: [
        "", "50", "GiB", "0B", "-1GiB", "1e3B", "9999999PiB", "99999999999999999999B", "1..5GiB",
        "1.GiB", ".5GiB", "50G", "50Gi B", "5GiBx", "80%", "0.1B", "½GiB", "٣GiB",
    ])
    func otherSizesAreRefused(text: String) throws {
        let errors = try refuse("limits.blob_size = \"\(text)\"")
        #expect(errors.diagnostics.map(\.code) == ["bad-size"])
    }

    @Test(arguments: ["0%", "101%", "1.5%", "%", "-1%"])
    func sharesAreWholeHundredths(text: String) throws {
        let errors = try refuse("cache.max_size = \"\(text)\"")
        #expect(errors.diagnostics.map(\.code) == ["bad-size"])
    }

    @Test func aShareOfTheLargestFileSystemDoesNotOverflow() {
        #expect(SizeLimit.percent(100).bytes(ofFileSystem: .max) == .max)
        #expect(SizeLimit.percent(80).bytes(ofFileSystem: 1000) == 800)
        #expect(SizeLimit.percent(33).bytes(ofFileSystem: 99) == 32)
        #expect(SizeLimit.bytes(7).bytes(ofFileSystem: 1) == 7)
    }

    @Test(
        arguments: [
            ("0s", .zero), ("500ms", .milliseconds(500)), ("30s", .seconds(30)),
            ("10m", .seconds(600)),
            ("1h30m", .seconds(5400)), ("1h 30m", .seconds(5400)), ("7d", .seconds(604_800)),
            ("2w", .seconds(1_209_600)), ("forever", .forever),
        ] as [(String, Duration)])
    func durationsHaveUnits(text: String, value: Duration) throws {
        let configuration = try accept("defaults.proxy.tag_ttl = \"\(text)\"")
        #expect(configuration.repositories[0].proxy?.tagTTL == value)
    }

    @Test(arguments: [
        "", "30", "s", "-1s", "1.5h", "30S", "1y", "99999999999999999999s", "9223372036854775807w",
        "40000d", "never", "1m 30", "٣s",
    ])
    func otherDurationsAreRefused(text: String) throws {
        let errors = try refuse("defaults.proxy.tag_ttl = \"\(text)\"")
        #expect(errors.diagnostics.map(\.code) == ["bad-duration"])
    }

    @Test func durationsHaveBounds() throws {
        let errors = try refuse("limits.header_timeout = \"10ms\"\nlimits.idle_timeout = \"2d\"")
        #expect(
            errors.diagnostics.map(\.message) == [
                "header_timeout takes a duration from 1s to 10m",
                "idle_timeout takes a duration from 1s to 1d",
            ])
    }

    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1", true), ("::1", "::1", true), ("::", "::", false),
        ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1", false), ("127.9.9.9", "127.9.9.9", true),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", true), ("fe80::1", "fe80::1", false),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", false),
        ("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8", false),
        ("64:ff9b::1.2.3.4", "64:ff9b::102:304", false), ("::2", "::2", false),
    ])
    func addressesAreReadAndWritten(text: String, written: String, isLoopback: Bool) throws {
        let address = try #require(IPAddress(parsing: text))
        #expect(address.description == written)
        #expect(address.isLoopback == isLoopback)
        #expect(IPAddress(parsing: written) == address)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ", ":", ":::", "1::2::3",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "::1%eth0", "::1.2.3", "1.2.3.4::", "g::",
        "1:2:3:4:5:6:7::8", ":1:2:3:4:5:6:7", "+1.2.3.4", "::1.2.3.4:5",
    ])
    func otherAddressesAreRefused(text: String) {
        #expect(IPAddress(parsing: text) == nil)
    }

    @Test func networksContainTheirAddressesOnly() throws {
        let ten = try #require(Network(parsing: "10.0.0.0/8"))
        #expect(ten.contains(try #require(IPAddress(parsing: "10.255.0.1"))))
        #expect(!ten.contains(try #require(IPAddress(parsing: "11.0.0.0"))))
        #expect(!ten.contains(try #require(IPAddress(parsing: "::10.0.0.1"))))
        let all = try #require(Network(parsing: "::/0"))
        #expect(all.contains(try #require(IPAddress(parsing: "fe80::1"))))
        let one = try #require(Network(parsing: "127.0.0.13"))
        #expect(one.description == "127.0.0.13/32")
        let odd = try #require(Network(parsing: "10.1.2.128/25"))
        #expect(odd.contains(try #require(IPAddress(parsing: "10.1.2.200"))))
        #expect(!odd.contains(try #require(IPAddress(parsing: "10.1.2.127"))))
        for text in ["10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "/8", ""] {
            #expect(Network(parsing: text) == nil, "\(text)")
        }
    }

    @Test(arguments: [
        ("https://Quay.IO", "https://quay.io"), ("https://quay.io:443/", "https://quay.io"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"), ("HTTP://[::1]:80", "http://[::1]"),
        ("https://nexus.a.b/repository/x/", "https://nexus.a.b/repository/x"),
    ])
    func urlsAreReadAndWritten(text: String, written: String) throws {
        #expect(try UpstreamURL(parsing: text).description == written)
    }

    @Test(
        arguments: [
            ("quay.io", .scheme), ("ftp://quay.io", .scheme), ("file:///etc/passwd", .scheme),
            ("https://", .host), ("https:///x", .host), ("https://a b", .host),
            ("https://-a", .host),
            ("https://1.2.3", .host), ("https://a..b", .host), ("https://a:0", .port),
            ("https://a:65536", .host), ("https://a:b", .host), ("https://u@a", .userinfo),
            ("https://u:p@a", .userinfo), ("https://a/?x", .query), ("https://a/#x", .query),
            ("https://a/../b", .path), ("https://a//b", .path), ("https://a/b c", .path),
            ("https://a/\u{1}", .path),
            ("https://a/" + String(repeating: "b", count: 9000), .length),
            ("https://ä", .host),
        ] as [(String, UpstreamURL.Refusal)])
    func otherURLsAreRefused(text: String, refusal: UpstreamURL.Refusal) {
        #expect(throws: refusal) { try UpstreamURL(parsing: text) }
    }

    @Test(
        arguments: [
            ("docker.io", "docker.io"), ("Index.Docker.io", "docker.io"),
            ("registry-1.docker.io:443", "docker.io"), ("quay.io:443", "quay.io"),
            ("QUAY.io", "quay.io"), ("registry:5000", "registry:5000"),
            ("[::1]:5000", "[::1]:5000"),
            ("a/b", nil), ("https://quay.io", nil), ("", nil), ("a:0", nil),
            ("127.0.0.1:22", "127.0.0.1:22"),
        ] as [(String, String?)])
    func registriesHaveOneName(text: String, name: String?) {
        #expect(RegistryAlias.normalised(text) == name)
    }

    @Test func theDistanceCountsSlipsOfTheFingers() {
        #expect(Suggestion.distance("abc", "abc") == 0)
        #expect(Suggestion.distance("abc", "acb") == 1)
        #expect(Suggestion.distance("abc", "ac") == 1)
        #expect(Suggestion.distance("", "abc") == 3)
        #expect(Suggestion.distance("kitten", "sitting") == 3)
        #expect(Suggestion.nearest(to: "max-size", among: ["path", "max_size"]) == "max_size")
        #expect(Suggestion.nearest(to: "zzz", among: ["path", "max_size"]) == nil)
    }

    // RES-2: a manifest is held in memory.
    @Test func aManifestIsNeverLargerThanClientsTake() throws {
        #expect(try accept("limits.manifest_size = \"4MiB\"\n").limits.manifestSize == 4 << 20)
        let errors = try refuse("limits.manifest_size = \"10GiB\"\n")
        #expect(places(errors) == ["bad-value 1:24"])
        #expect(errors.diagnostics.map(\.help) == ["manifest_size = \"4MiB\""])
    }
}
