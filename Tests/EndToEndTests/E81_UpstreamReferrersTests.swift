import TestSupport
import Testing

/// Referrers of what proxies show: the upstream's word, also when it is gone (protocol.md §1.6).
@Suite("E81 referrers of upstreams", .realParts)
struct E81_UpstreamReferrersTests {
    private let image = ImageFixture(seed: 850, layerSizes: [1000], architectures: ["amd64"])
    private var subject: String { image.index.digest }

    private static func entry(_ number: UInt8, type: String = "a/sig") -> String {
        """
        {"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":\
        "\(MessageDigest.of([number]))","size":5,"artifactType":"\(type)"}
        """
    }

    /// An upstream that says that these refer to the image.
    private func upstream(_ numbers: [UInt8], type: String = "a/sig") throws -> LoopbackRegistry {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "org/a")
        let list = numbers.map { Self.entry($0, type: type) }.joined(separator: ",")
        upstream.state.with { $0.repositories["org/a"]?.referrers[subject] = list }
        return upstream
    }

    private func digests(_ numbers: [UInt8]) -> [String] {
        numbers.map { MessageDigest.of([$0]) }.sorted()
    }

    private func configuration(
        _ upstreams: [LoopbackRegistry], _ extra: String = ""
    ) -> DaemonConfiguration {
        let names = upstreams.indices.map { "up\($0).example.org" }
        let members = names.map { "\"\($0)\"" }.joined(separator: ", ")
        return DaemonConfiguration(
            zip(names, upstreams).map { DaemonConfiguration.proxy($0, $1, extra) } + [
                "[repositories.all]\ntype = \"group\"\nmembers = [\(members)]",
                "[repositories.outer]\ntype = \"group\"\nmembers = [\"all\"]",
            ], listeners: ["repository = \"outer\""])
    }

    @Test func oneQuestionServesEveryFilterAndPage() throws {
        let upstream = try upstream([1, 2, 3])
        let daemon = try DaemonProcess(configuration([upstream]))
        let target = "/v2/up0.example.org/org/a/referrers/\(subject)"
        #expect(
            try E81_ReferrersTests.pages(daemon.address, target) == [digests([1, 2, 3])])
        let filtered = try RawClient.request(daemon.address, "\(target)?artifactType=a%2Fsig")
        #expect(filtered["OCI-Filters-Applied"] == "artifactType")
        #expect(filtered.text.split(separator: "\"digest\"").count == 4)
        let none = try RawClient.request(daemon.address, "\(target)?artifactType=a%2Fother")
        #expect(none.text.contains("\"manifests\":[]"))
        let pages = try E81_ReferrersTests.pages(daemon.address, "\(target)?n=2")
        #expect(pages.map(\.count) == [2, 1] && pages.flatMap(\.self) == digests([1, 2, 3]))
        #expect(upstream.count("/referrers/") == 1)
    }

    @Test func theUpstreamsPagesAreFollowed() throws {
        let upstream = try upstream([1])
        let body = """
            {"schemaVersion":2,"manifests":[\(Self.entry(2)),\(Self.entry(3))]}
            """
        upstream.inject(
            .header("Link", "</v2/org/a/referrers/\(subject)?next=x>; rel=\"next\""),
            on: "/referrers/", times: 1)
        upstream.inject(.otherBody(TestContent(body)), on: "next=x")
        let daemon = try DaemonProcess(configuration([upstream]))
        let target = "/v2/up0.example.org/org/a/referrers/\(subject)"
        #expect(
            try E81_ReferrersTests.pages(daemon.address, target) == [digests([1, 2, 3])])
    }

    // RES-3: neither pages without end nor large ones fill the memory.
    @Test(arguments: [0, 3_000_000])
    func whatAnUpstreamSaysIsBounded(pageBytes: Int) throws {
        let upstream = try upstream([1])
        let padding = String(repeating: " ", count: pageBytes)
        let next = "</v2/org/a/referrers/\(subject)?next=x>; rel=\"next\""
        upstream.inject(.header("Link", next), on: "/referrers/")
        upstream.inject(
            [
                .header("Link", next),
                .otherBody(
                    TestContent("{\"schemaVersion\":2,\(padding)\"manifests\":[\(Self.entry(2))]}")),
            ], on: "next=x")
        let daemon = try DaemonProcess(configuration([upstream]))
        let target = "/v2/up0.example.org/org/a/referrers/\(subject)"
        #expect(try E81_ReferrersTests.pages(daemon.address, target) == [digests([1, 2])])
        #expect(upstream.count("/referrers/") <= (pageBytes == 0 ? 100 : 4))
    }

    // Signatures that were seen stay to be seen: after a restart, too.
    @Test(arguments: [true, false])
    func whatTheUpstreamSaidIsKnownWhenItIsGone(offline: Bool) throws {
        let home = try TemporaryDirectory()
        let upstream = try upstream([1, 2])
        let target = "/v2/up0.example.org/org/a/referrers/\(subject)"
        let pulled = image.platforms[0].manifest.digest
        let empty = "/v2/up0.example.org/org/a/referrers/\(pulled)"
        // Nobody pulled this: it takes no place.
        let random = "/v2/up0.example.org/org/a/referrers/\(MessageDigest.of([9]))"
        var daemon = try DaemonProcess(configuration([upstream]), home: home)
        let manifest = "/v2/up0.example.org/org/a/manifests/\(pulled)"
        #expect(try RawClient.request(daemon.address, manifest).status == 200)
        #expect(try RawClient.request(daemon.address, random).status == 200)
        #expect(try E81_ReferrersTests.pages(daemon.address, target) == [digests([1, 2])])
        #expect(try RawClient.request(daemon.address, empty).status == 200)
        daemon.stop()
        upstream.stop()
        daemon = try DaemonProcess(
            configuration([upstream], offline ? "offline = true" : ""), home: home)
        #expect(try E81_ReferrersTests.pages(daemon.address, target) == [digests([1, 2])])
        #expect(try RawClient.request(daemon.address, target)["Warning"] != nil)
        let known = try RawClient.request(daemon.address, empty)
        #expect(known.status == 200 && known.text.contains("\"manifests\":[]"))
        // Of what nobody ever asked nothing is known, and nothing is made up.
        let unknown = "/v2/up0.example.org/org/a/referrers/\(MessageDigest.of([8]))"
        for target in [unknown, random] {
            let status = try RawClient.request(daemon.address, target).status
            #expect(offline ? status == 404 : [502, 503].contains(status))
        }
    }

    @Test func theTagThatStandsInIsKnownToo() throws {
        let home = try TemporaryDirectory()
        let upstream = try upstream([])
        let index = """
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",\
            "manifests":[\(Self.entry(4)),\(Self.entry(5, type: "a/sbom"))]}
            """
        let document = ImageFixture.Document(
            mediaType: "application/vnd.oci.image.index.v1+json", content: TestContent(index))
        let tag = subject.split(separator: ":").joined(separator: "-")
        upstream.add(document, "org/a", tags: [tag])
        upstream.state.with { $0.hasReferrers = false }
        var daemon = try DaemonProcess(configuration([upstream]), home: home)
        let target = "/v2/up0.example.org/org/a/referrers/\(subject)"
        let filter = "?artifactType=a%2Fsbom"
        func expectBoth() throws {
            #expect(try E81_ReferrersTests.pages(daemon.address, target) == [digests([4, 5])])
            let pages = try E81_ReferrersTests.pages(daemon.address, target + filter)
            #expect(pages == [digests([5])])
        }
        try expectBoth()
        // Neither the API nor such a tag: clients may look for the tag themselves.
        let none = "/v2/up0.example.org/org/a/referrers/\(MessageDigest.of([9]))"
        #expect(try RawClient.request(daemon.address, none).status == 404)
        daemon.stop()
        upstream.stop()
        daemon = try DaemonProcess(configuration([upstream]), home: home)
        try expectBoth()
    }

    // Groups of groups, too.
    @Test func groupsPutTogetherWhatTheirMembersKnow() throws {
        let (first, second) = (try upstream([1, 2]), try upstream([2, 3], type: "a/sbom"))
        let daemon = try DaemonProcess(configuration([first, second]))
        for place in ["", "all/", "outer/"] {
            let target = "/v2/\(place)org/a/referrers/\(subject)"
            let pages = try E81_ReferrersTests.pages(daemon.address, target + "?n=2")
            #expect(pages.flatMap(\.self) == digests([1, 2, 3]), "\(place)")
            let sboms = try E81_ReferrersTests.pages(
                daemon.address, target + "?artifactType=a%2Fsbom")
            #expect(sboms == [digests([3])], "the first member's word counts")
        }
        second.stop()
        let alone = "/v2/all/org/a/referrers/\(subject)"
        #expect(try E81_ReferrersTests.pages(daemon.address, alone) == [digests([1, 2, 3])])
    }
}
