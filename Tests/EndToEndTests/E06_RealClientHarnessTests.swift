import TestSupport
import Testing

/// The real clients against the scripted upstream itself: what fails here is the harness.
@Suite("E06 the real clients' harness", .realParts)
struct E06_RealClientHarnessTests {
    @Test func containerdPullsFromTheScriptedUpstream() throws {
        let upstream = try LoopbackRegistry()
        let image = try realImage(seed: 60)
        upstream.add(image, "library/a")
        let containerd = try ContainerdProcess(mirrors: ["docker.io": upstream.url])
        for reference in [
            "docker.io/library/a:latest", "docker.io/library/a@\(image.index.digest)",
        ] {
            let output = try containerd.fetch(reference)
            #expect(output.code == 0, "\(output)")
        }
        #expect(upstream.requests("/manifests/").allSatisfy { $0.query("ns") == ["docker.io"] })
        let stored = try containerd.contents()
        #expect(stored.isSuperset(of: image.blobs.map(\.digest)))
        let pull = try containerd.pull("docker.io/library/a:latest")
        #expect(pull.code == 0, "\(pull)")
    }

    @Test func podmanPullsFromTheScriptedUpstream() throws {
        let upstream = try LoopbackRegistry()
        let image = try realImage(seed: 61)
        upstream.add(image, "library/a")
        let podman = try PodmanClient(mirrors: ["docker.io": upstream.authority])
        for reference in [
            "docker.io/library/a:latest", "docker.io/library/a@\(image.index.digest)",
        ] {
            let output = try podman.pull(reference)
            #expect(output.code == 0, "\(output)")
            try podman.removeImages()
        }
    }

    @Test func dockerRegistryTakesAndGivesAnImage() throws {
        let registry = try DockerRegistryProcess()
        let image = ImageFixture(seed: 62)
        try registry.push(image, "org/c")
        #expect(try Puller(registry.address, "/v2/org/c").pull(image) == [])
        registry.stop()
        #expect(throws: SocketError.refused) { try RawClient.request(registry.address, "/v2/") }
    }
}
