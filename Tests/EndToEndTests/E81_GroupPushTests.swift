import TestSupport
import Testing

/// What is peculiar to pushing through a group: its proxies neither help nor hinder (AUTH-10).
@Suite("E81 pushes through a group", .realParts)
struct E81_GroupPushTests {
    private static let bytes = TestContent(seed: 82, size: 100_000).bytes
    private static let digest = MessageDigest.of(bytes)

    /// What upstreams do to names that they do not know.
    enum Upstream: CaseIterable { case absent, denied, gone }

    private func scene(_ upstream: Upstream) throws -> HostedScene {
        let scene = try HostedScene(base: "/v2/")
        switch upstream {
        case .absent: break
        case .denied: scene.upstream.inject(.status(401), on: "/v2/", method: nil)
        case .gone: scene.upstream.stop()
        }
        return scene
    }

    // Docker Hub denies what it does not know, and clients give up when a blob's HEAD is no 404.
    @Test(arguments: Upstream.allCases)
    func aNewNameIsPushedWhateverTheUpstreamSays(upstream: Upstream) throws {
        let scene = try scene(upstream)
        let head = try scene.request("HEAD", scene.target("app/new", "blobs/\(Self.digest)"))
        #expect(head.status == 404, "\(head)")
        #expect(scene.upstream.requests.isEmpty, "nobody else is asked before a push")
        let manifest = try scene.pushImage("app/new", "v1", seed: 12)
        #expect(try scene.get(scene.target("app/new", "manifests/v1")).body == manifest)
        let absent = try scene.request("HEAD", scene.target("app/new", "manifests/v2"))
        #expect(absent.status == 404)
    }

    @Test(arguments: [Upstream.absent, .denied])
    func whatNobodyHasIsNotFound(upstream: Upstream) throws {
        let scene = try scene(upstream)
        for resource in ["blobs/\(Self.digest)", "manifests/v1", "tags/list"] {
            let answer = try scene.get(scene.target("app/x", resource))
            #expect(answer.status == 404, "\(resource): \(answer)")
        }
        let referrers = try scene.get(scene.target("app/x", "referrers/\(Self.digest)"))
        #expect(referrers.status == 200)
        #expect(referrers.text.contains("\"manifests\":[]"))
    }

    // Whoever only pulls is not told that something is missing which nobody could look for.
    @Test func whoPullsHearsThatTheUpstreamIsGone() throws {
        let scene = try scene(.gone)
        let target = scene.target("library/a", "blobs/\(Self.digest)")
        #expect(try RawClient.request(scene.address, target, method: "HEAD").status == 502)
        #expect(try scene.get(target).status == 502)
    }

    // An image of a proxy, changed and pushed under its own name: what is here is not sent again.
    @Test func layersOfAProxiedImageNeedNotBePushedAgain() throws {
        let scene = try HostedScene(base: "/v2/")
        let image = ImageFixture(seed: 83)
        scene.upstream.add(image, "library/a")
        let blobs = image.platforms[0].blobs.map(\.bytes)
        for blob in blobs {
            let target = scene.target("library/a", "blobs/\(MessageDigest.of(blob))")
            #expect(try scene.get(target).status == 200)
            #expect(try poll { try scene.request("HEAD", target).status == 200 })
        }
        let config = Array("{}".utf8)
        try scene.push("library/a", blob: config)
        let manifest = HostedScene.manifest([config] + blobs)
        let answer = try scene.push("library/a", manifest: manifest, as: "changed")
        #expect(answer.status == 201, "\(answer.text)")
        for blob in blobs { try scene.expectBlob("library/a", blob) }
        let direct = "/v2/releases/library/a/blobs/\(MessageDigest.of(blobs[1]))"
        #expect(try scene.get(direct).status == 200)
        // Under another name nobody showed them.
        let elsewhere = try scene.push("library/b", manifest: manifest, as: "changed")
        #expect(elsewhere.status == 400)
    }

    // AUTH-10: what is pushed stands in front of what is public, in all that is said of it.
    @Test func aPushedNameIsNobodyElses() throws {
        let scene = try HostedScene(base: "/v2/")
        let image = ImageFixture(seed: 84)
        scene.upstream.add(image, "library/a")
        let latest = scene.target("library/a", "manifests/latest")
        #expect(try scene.get(latest).status == 200)
        _ = try scene.pushImage("library/a", "v1", seed: 13)
        scene.upstream.forgetRequests()
        #expect(try scene.get(latest).status == 404)
        let tags = try scene.get(scene.target("library/a", "tags/list"))
        #expect(tags.text == "{\"name\":\"library/a\",\"tags\":[\"v1\"]}")
        #expect(scene.upstream.requests.isEmpty)
    }

    // A signature alone makes the name one's own, until it and its blobs are deleted (README).
    @Test func aSignatureOfAProxiedImageHidesItsTags() throws {
        let scene = try HostedScene(base: "/v2/")
        let image = ImageFixture(seed: 85, layerSizes: [1000], architectures: ["amd64"])
        scene.upstream.add(image, "library/a")
        let latest = scene.target("library/a", "manifests/latest")
        #expect(try scene.get(latest).status == 200)
        let config = Array("{}".utf8)
        let signature = HostedScene.manifest(
            [config], subject: image.platforms[0].manifest.content.bytes, artifactType: "a/sig")
        #expect(try scene.push("library/a", blob: config).status == 201)
        let digest = MessageDigest.of(signature)
        #expect(try scene.push("library/a", manifest: signature, as: digest).status == 201)
        #expect(try scene.get(latest).status == 404)
        let direct = "/v2/up.example.org/library/a/manifests/latest"
        #expect(try scene.get(direct).status == 200)
        for part in ["manifests/\(digest)", "blobs/\(MessageDigest.of(config))"] {
            let target = "/v2/releases/library/a/\(part)"
            #expect(try scene.request("DELETE", target).status == 202)
        }
        #expect(try scene.get(latest).status == 200)
    }

    // A group of groups takes pushes for a hosted repository at any depth.
    @Test func groupsOfGroupsTakePushes() throws {
        let scene = try HostedScene(base: "/v2/outer/")
        let manifest = try scene.pushImage("app/a", "v1", seed: 15)
        for base in ["/v2/outer/", "/v2/", "/v2/releases/"] {
            let answer = try scene.get("\(base)app/a/manifests/v1")
            #expect(answer.body == manifest, "\(base)")
        }
        #expect(try scene.request("HEAD", scene.target("app/b", "manifests/v1")).status == 404)
    }
}
