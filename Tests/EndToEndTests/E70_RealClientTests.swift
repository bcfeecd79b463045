import TestSupport
import Testing

/// skopeo, containerd and podman pull through Cistern, by tag and by digest, and again with the
/// upstream gone (done when 2).
@Suite("E70 real clients", .realParts)
struct E70_RealClientTests {
    /// Stand-ins for docker.io and quay.io behind one listener.
    private struct Site {
        let hub: LoopbackRegistry
        let quay: LoopbackRegistry
        let image: ImageFixture
        let other: ImageFixture
        let daemon: DaemonProcess

        init() throws {
            hub = try LoopbackRegistry(.dockerHub)
            quay = try LoopbackRegistry(.quay)
            image = try realImage(seed: 70)
            other = ImageFixture(seed: 71, layerSizes: [2_000_000], flavour: .docker)
            hub.add(image, "library/a")
            quay.add(other, "org/b", tags: ["v1"])
            daemon = try DaemonProcess(
                DaemonConfiguration([
                    DaemonConfiguration.proxy("docker.io", hub),
                    DaemonConfiguration.proxy("quay.io", quay),
                ]))
        }

        var references: [String] {
            [
                "docker.io/library/a:latest", "docker.io/library/a@\(image.index.digest)",
                "quay.io/org/b:v1", "quay.io/org/b@\(other.index.digest)",
            ]
        }

        func stopUpstreams() {
            hub.stop()
            quay.stop()
        }
    }

    @Test func skopeoCopiesAndInspects() throws {
        let site = try Site()
        for round in ["cold", "upstream gone"] {
            for (number, reference) in site.references.enumerated() {
                let directory = try TemporaryDirectory()
                let source = "docker://\(site.daemon.address)/\(reference)"
                let copy = try Command.run(
                    "skopeo",
                    [
                        "copy", "--all", "--src-tls-verify=false", source,
                        "dir:\(directory.path)/out",
                    ])
                #expect(copy.code == 0, "\(round): \(copy)")
                let image = number < 2 ? site.image : site.other
                for blob in image.blobs {
                    let path = directory.file("out/\(blob.digest.dropFirst(7))")
                    #expect(MessageDigest.of(try Files.read(path)) == blob.digest, "\(round)")
                }
                let inspect = try Command.run(
                    "skopeo", ["inspect", "--tls-verify=false", "--raw", source])
                #expect(
                    inspect.stdout == String(decoding: image.index.content.bytes, as: UTF8.self))
            }
            site.stopUpstreams()
        }
    }

    @Test func skopeoListsTags() throws {
        let site = try Site()
        let output = try Command.succeed(
            "skopeo",
            ["list-tags", "--tls-verify=false", "docker://\(site.daemon.address)/quay.io/org/b"])
        #expect(output.stdout.contains("\"v1\""))
    }

    @Test func containerdPullsByItsHostsFile() throws {
        let site = try Site()
        let mirrors = ["docker.io": site.daemon.url, "quay.io": site.daemon.url]
        for round in ["cold", "upstream gone"] {
            let containerd = try ContainerdProcess(mirrors: mirrors)
            for reference in site.references {
                let output = try containerd.fetch(reference)
                #expect(output.code == 0, "\(round): \(output)")
            }
            let stored = try containerd.contents()
            let wanted =
                (site.image.blobs + site.other.blobs).map(\.digest)
                + (site.image.documents + site.other.documents).map(\.digest)
            #expect(stored.isSuperset(of: wanted), "\(round)")
            let pull = try containerd.pull("docker.io/library/a:latest")
            #expect(pull.code == 0, "\(round): \(pull)")
            site.stopUpstreams()
        }
    }

    @Test func podmanPullsByItsMirrorSettings() throws {
        let site = try Site()
        let podman = try PodmanClient(mirrors: [
            "docker.io": "\(site.daemon.address)/docker.io",
            "quay.io": "\(site.daemon.address)/quay.io",
        ])
        for round in ["cold", "upstream gone"] {
            for reference in site.references {
                let output = try podman.pull(reference)
                #expect(output.code == 0, "\(round): \(output)")
                try podman.removeImages()
            }
            site.stopUpstreams()
        }
    }

    // An upstream that nobody here wrote.
    @Test func debiansDockerRegistryIsAnUpstream() throws {
        let upstream = try DockerRegistryProcess()
        let image = try realImage(seed: 72)
        try upstream.push(image, "org/c")
        let daemon = try DaemonProcess(
            DaemonConfiguration([
                """
                [repositories."quay.io"]
                type = "proxy"
                registry = "quay.io"
                upstream = "http://\(upstream.address)"
                """
            ]))
        let puller = Puller(daemon, "/v2/quay.io/org/c")
        #expect(try puller.pull(image) == [])
        for round in ["with upstream", "upstream gone"] {
            let containerd = try ContainerdProcess(mirrors: ["quay.io": daemon.url])
            for reference in ["quay.io/org/c:latest", "quay.io/org/c@\(image.index.digest)"] {
                let output = try containerd.fetch(reference)
                #expect(output.code == 0, "\(round): \(output)")
            }
            let podman = try PodmanClient(mirrors: ["quay.io": "\(daemon.address)/quay.io"])
            let output = try podman.pull("quay.io/org/c:latest")
            #expect(output.code == 0, "\(round): \(output)")
            upstream.stop()
            #expect(try puller.pull(image) == [], "\(round)")
        }
    }
}
