import TestSupport
import Testing

/// What the distribution API says of pushing manifests (protocol.md §1.5).
@Suite("E81 manifests pushed", .realParts)
struct E81_ManifestPushTests {
    @Test(arguments: HostedScene.bases)
    func anImageIsPushedAndPulled(base: String) throws {
        let scene = try HostedScene(base: base)
        let manifest = try scene.pushImage("app/a", "v1", seed: 1)
        let digest = MessageDigest.of(manifest)
        for reference in ["v1", digest] {
            let answer = try scene.get(scene.target("app/a", "manifests/\(reference)"))
            #expect(answer.status == 200)
            #expect(answer.body == manifest)
            #expect(answer["Docker-Content-Digest"] == digest)
            #expect(answer["Content-Type"] == "application/vnd.oci.image.manifest.v1+json")
        }
        let tags = try scene.get(scene.target("app/a", "tags/list"))
        #expect(tags.text == "{\"name\":\"app/a\",\"tags\":[\"v1\"]}")
    }

    @Test(arguments: HostedScene.bases)
    func severalTagsAreBoundAtOnce(base: String) throws {
        let scene = try HostedScene(base: base)
        let manifest = try scene.pushImage("a", "v1", seed: 2)
        let digest = MessageDigest.of(manifest)
        let tags = (0..<12).map { "t\($0)" }
        let query = tags.map { "tag=\($0)" }.joined(separator: "&")
        let answer = try scene.push("a", manifest: manifest, as: "\(digest)?\(query)")
        #expect(answer.status == 201)
        #expect(Set(answer.all("OCI-Tag")) == Set(tags))
        for tag in tags {
            #expect(try scene.get(scene.target("a", "manifests/\(tag)")).status == 200)
        }
    }

    @Test(arguments: HostedScene.bases)
    func aManifestNeedsItsBlobs(base: String) throws {
        let scene = try HostedScene(base: base)
        let answer = try scene.push("a", manifest: HostedScene.manifest([[1], [2]]), as: "v1")
        #expect([400, 404].contains(answer.status))
        #expect(answer.text.contains("MANIFEST_BLOB_UNKNOWN"))
        #expect(try scene.get(scene.target("a", "manifests/v1")).status == 404)
    }

    @Test(arguments: HostedScene.bases)
    func badManifestsAreRefused(base: String) throws {
        let scene = try HostedScene(base: base)
        for text in ["", "{", "[]", "{\"schemaVersion\":2}", String(repeating: "[", count: 9000)] {
            let answer = try scene.push("a", manifest: Array(text.utf8), as: "v1")
            #expect(answer.status == 400, "\(text.prefix(20)): \(answer)")
        }
        let large = [UInt8](repeating: 0x20, count: 4 << 20 | 1)
        #expect(try scene.push("a", manifest: large, as: "v1").status == 413)
        let manifest = try scene.pushImage("a", "v1", seed: 3)
        let other = MessageDigest.of([0])
        let answer = try scene.push("a", manifest: manifest, as: other)
        #expect(answer.status == 400)
        #expect(answer.text.contains("DIGEST_INVALID"))
    }

    @Test(arguments: HostedScene.bases)
    func anIndexMayComeBeforeItsImages(base: String) throws {
        let scene = try HostedScene(base: base)
        let type = "application/vnd.oci.image.index.v1+json"
        let image = HostedScene.manifest([[1], [2]])
        let index = """
            {"schemaVersion":2,"mediaType":"\(type)","manifests":[{"mediaType":\
            "application/vnd.oci.image.manifest.v1+json","digest":"\(MessageDigest.of(image))",\
            "size":\(image.count)}]}
            """
        let answer = try scene.push("a", manifest: Array(index.utf8), as: "multi", type: type)
        #expect(answer.status == 201)
        let pulled = try scene.get(scene.target("a", "manifests/multi"))
        #expect(pulled["Content-Type"] == type)
        #expect(pulled.text == index)
    }

    // No tag is written like that: there is none, whoever asks for it.
    @Test(arguments: HostedScene.bases)
    func whatCannotBeATagIsNotThere(base: String) throws {
        let scene = try HostedScene(base: base)
        let manifest = try scene.pushImage("a", "v1", seed: 10)
        let long = String(repeating: "a", count: 129)
        for reference in [".INVALID_MANIFEST_NAME", "-a", long] {
            let target = scene.target("a", "manifests/\(reference)")
            for method in ["GET", "HEAD", "DELETE"] {
                #expect(try scene.request(method, target).status == 404, "\(method) \(reference)")
            }
            #expect(try scene.push("a", manifest: manifest, as: reference).status == 400)
        }
        for reference in ["sha256:baddigeststring", "sha256:totallywrong", "md5:00", ":"] {
            let target = scene.target("a", "manifests/\(reference)")
            #expect(try scene.request("GET", target).status == 400)
            let answer = try scene.push("a", manifest: manifest, as: reference)
            #expect(answer.status == 400)
            #expect(answer.text.contains("\"DIGEST_INVALID\""))
        }
    }

    // 4 MB of annotations, in chunks; and whoever sends them without a login first hears why not.
    @Test(arguments: HostedScene.bases)
    func aLargeManifestIsTaken(base: String) throws {
        let scene = try HostedScene(base: base)
        try scene.push("a", blob: [1])
        let annotations = (0..<390).map {
            "\"a\($0)\":\"\(String(repeating: "A", count: 10_000))\""
        }
        let small = String(decoding: HostedScene.manifest([[1]]), as: UTF8.self)
        let text = "\(small.dropLast()),\"annotations\":{\(annotations.joined(separator: ","))}}"
        let manifest = Array(text.utf8)
        let target = scene.target("a", "manifests/large")
        let type = [("Content-Type", "application/vnd.oci.image.manifest.v1+json")]
        let stranger = try scene.request(
            "PUT", target, body: manifest, fields: type, chunk: 30_000, as: nil)
        #expect(stranger.status == 401)
        let answer = try scene.request(
            "PUT", target, body: manifest, fields: type, chunk: 30_000)
        #expect(answer.status == 201, "\(answer)")
        #expect(try scene.get(target).body == manifest)
    }

    @Test(arguments: HostedScene.bases)
    func manifestsOfSha512AreTaggedByTheQuery(base: String) throws {
        let scene = try HostedScene(base: base)
        let manifest = try scene.pushImage("a", "v1", seed: 11)
        let digest = MessageDigest.of(manifest, .sha512)
        let answer = try scene.push("a", manifest: manifest, as: "\(digest)?tag=x&tag=y")
        #expect(answer.status == 201)
        #expect(answer["Docker-Content-Digest"] == digest)
        #expect(Set(answer.all("OCI-Tag")) == ["x", "y"])
        for reference in ["x", "y", digest] {
            let found = try scene.get(scene.target("a", "manifests/\(reference)"))
            #expect(found.body == manifest)
            #expect(found["Docker-Content-Digest"] == digest)
        }
        let bad = try scene.push("a", manifest: manifest, as: "\(digest)?tag=.bad")
        #expect(bad.status == 400)
    }

    // Image types of one's own, an image without layers, layers that are elsewhere, an empty index.
    @Test(arguments: HostedScene.bases)
    func anythingThatIsAManifestIsTaken(base: String) throws {
        let scene = try HostedScene(base: base)
        try scene.push("a", blob: Array("{}".utf8))
        let digest = MessageDigest.of(Array("{}".utf8))
        let image = "application/vnd.oci.image.manifest.v1+json"
        let index = "application/vnd.oci.image.index.v1+json"
        let config = """
            {"mediaType":"application/x","digest":"\(digest)","size":2,"data":"e30="}
            """
        let elsewhere = """
            {"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip","digest":\
            "\(MessageDigest.of([9]))","size":123,"urls":["https://store.example.com/x"]}
            """
        for (type, rest) in [
            (image, "\"config\":\(config),\"layers\":[]"),
            (image, "\"config\":\(config),\"layers\":[\(config)],\"org.x\":[{\"y\":null}]"),
            (image, "\"config\":\(config),\"layers\":[\(elsewhere)]"),
            (
                image,
                "\"artifactType\":\"application/x\",\"config\":\(config),\"layers\":[\(config)]"
            ),
            (index, "\"manifests\":[]"),
        ] {
            let text = "{\"schemaVersion\":2,\"mediaType\":\"\(type)\",\(rest)}"
            let answer = try scene.push("a", manifest: Array(text.utf8), as: "v1", type: type)
            #expect(answer.status == 201, "\(answer) \(text)")
            let found = try scene.get(try #require(answer["Location"]))
            #expect(found.text == text)
            #expect(found["Content-Type"] == type)
        }
    }
}
