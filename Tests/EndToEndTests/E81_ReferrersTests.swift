import TestSupport
import Testing

/// Lists of what refers to a manifest (protocol.md §1.6).
@Suite("E81 referrers", .realParts)
struct E81_ReferrersTests {
    @Test(arguments: HostedScene.bases)
    func whatRefersToAnImageIsListed(base: String) throws {
        let scene = try HostedScene(base: base)
        let subject = try scene.pushImage("a", "v1", seed: 4)
        let digest = MessageDigest.of(subject)
        let empty = try scene.get(scene.target("a", "referrers/\(MessageDigest.of([7]))"))
        #expect(empty.status == 200)
        #expect(empty.text.contains("\"manifests\":[]"))
        for type in ["application/x.sbom", "application/x.signature"] {
            try scene.push("a", blob: Array("{}".utf8))
            let manifest = HostedScene.manifest(
                [Array("{}".utf8)], subject: subject, artifactType: type)
            let answer = try scene.push(
                "a", manifest: manifest, as: MessageDigest.of(manifest))
            #expect(answer.status == 201)
            #expect(answer["OCI-Subject"] == digest)
        }
        let all = try scene.get(scene.target("a", "referrers/\(digest)"))
        #expect(all.text.contains("x.sbom") && all.text.contains("x.signature"))
        let target = scene.target("a", "referrers/\(digest)?artifactType=application/x.sbom")
        let filtered = try scene.get(target)
        #expect(filtered["OCI-Filters-Applied"] == "artifactType")
        #expect(filtered.text.contains("x.sbom") && !filtered.text.contains("x.signature"))
    }

    /// A manifest that refers to `subject`, pushed; its digest.
    private func attach(
        _ scene: HostedScene, _ type: String?, to subject: [UInt8], annotations: String = ""
    ) throws -> String {
        var text = String(
            decoding: HostedScene.manifest(
                [Array("{}".utf8)], subject: subject, artifactType: type), as: UTF8.self)
        text = "\(text.dropLast()),\"annotations\":{\(annotations)}}"
        let digest = MessageDigest.of(Array(text.utf8))
        let answer = try scene.push("a", manifest: Array(text.utf8), as: digest)
        guard answer.status == 201 else { throw TestFailure("\(answer) \(answer.text)") }
        return digest
    }

    /// All pages from `target` on: the digests of each, in their order.
    static func pages(_ address: String, _ target: String) throws -> [[String]] {
        var pages: [[String]] = []
        var next: String? = target
        while let target = next, pages.count < 100 {
            let answer = try RawClient.request(address, target)
            guard answer.status == 200 else { throw TestFailure("\(target): \(answer)") }
            let parts = answer.text.split(separator: "\"digest\":\"").dropFirst()
            pages.append(parts.map { String($0.prefix { $0 != "\"" }) })
            next = answer["Link"].map { link in
                #expect(link.hasSuffix(">; rel=\"next\""), "\(link)")
                return String(link.dropFirst().prefix { $0 != ">" })
            }
        }
        return pages
    }

    @Test(arguments: HostedScene.bases)
    func longListsComeInPages(base: String) throws {
        let scene = try HostedScene(base: base)
        let subject = try scene.pushImage("a", "v1", seed: 14)
        try scene.push("a", blob: Array("{}".utf8))
        let long = String(repeating: "x", count: 300_000)
        var all: [String] = []
        for number in 0..<7 {
            let annotations = "\"n\":\"\(number)\",\"long\":\"\(long)\""
            let type = number % 2 == 0 ? "application/x.even" : "application/x.odd"
            all.append(try attach(scene, type, to: subject, annotations: annotations))
        }
        let target = scene.target("a", "referrers/\(MessageDigest.of(subject))")
        // Three of them make a megabyte.
        let pages = try Self.pages(scene.address, target)
        #expect(pages.map(\.count) == [3, 3, 1])
        #expect(pages.flatMap(\.self) == all.sorted())
        let two = try Self.pages(scene.address, "\(target)?n=2")
        #expect(two.map(\.count) == [2, 2, 2, 1])
        let even = try Self.pages(
            scene.address, "\(target)?artifactType=application%2Fx.even&n=3")
        #expect(even.map(\.count) == [3, 1])
        #expect(even.flatMap(\.self) == stride(from: 0, to: 7, by: 2).map { all[$0] }.sorted())
        for bad in ["last=x", "n=x", "n=-1"] {
            #expect(try scene.get("\(target)?\(bad)").status == 400, "\(bad)")
        }
    }

    // What has no type is found as such; what is deleted is in no list.
    @Test(arguments: HostedScene.bases)
    func listsFollowWhatIsThere(base: String) throws {
        let scene = try HostedScene(base: base)
        let subject = HostedScene.manifest([[1], [2]])
        let type = "application/vnd.oci.image.index.v1+json"
        let digest = MessageDigest.of(subject)
        let index = """
            {"schemaVersion":2,"mediaType":"\(type)","manifests":[],"subject":{"mediaType":\
            "application/vnd.oci.image.manifest.v1+json","digest":"\(digest)",\
            "size":\(subject.count)},"annotations":{"k":"v"}}
            """
        let pushed = try scene.push("a", manifest: Array(index.utf8), as: "sbom", type: type)
        #expect(pushed.status == 201 && pushed["OCI-Subject"] == digest)
        let target = scene.target("a", "referrers/\(digest)")
        for query in ["", "?artifactType="] {
            let answer = try scene.get(target + query)
            #expect(answer.text.contains(MessageDigest.of(Array(index.utf8))), "\(answer.text)")
            #expect(answer.text.contains("\"annotations\":{\"k\":\"v\"}"))
        }
        #expect(try !scene.get("\(target)?artifactType=x").text.contains("sha256"))
        let place = scene.target("a", "manifests/\(MessageDigest.of(Array(index.utf8)))")
        #expect(try scene.request("DELETE", place).status == 202)
        #expect(try scene.get(target).text.contains("\"manifests\":[]"))
    }
}
