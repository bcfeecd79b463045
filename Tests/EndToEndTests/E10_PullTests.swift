import TestSupport
import Testing

/// Pulls by tag and by digest, over every way to name a repository, cold and from disk.
@Suite("E10 pulls", .realParts)
struct E10_PullTests {
    private let image = ImageFixture(seed: 10)

    // protocol.md §6: ns, path prefixes, root.
    @Test(
        arguments: [
            ("/v2/library/a", "?ns=docker.io"),
            ("/v2/library/a", "?ns=registry-1.docker.io"),
            ("/v2/library/a", "?ns=index.docker.io"),
            ("/v2/docker.io/library/a", ""),
            ("/v2/hub/library/a", ""),
            ("/hub/v2/library/a", ""),
            ("/v2/library/a", ""),
        ])
    func everyRouteLeadsToTheImage(base: String, query: String) throws {
        let upstream = try LoopbackRegistry(.dockerHub)
        upstream.add(image, "library/a")
        let daemon = try DaemonProcess(
            DaemonConfiguration(
                [DaemonConfiguration.proxy("docker.io", upstream, name: "hub")],
                listeners: [#"repository = "hub""#]))
        let puller = Puller(daemon, base, query: query)
        #expect(try puller.pull(image) == [])
        #expect(try puller.pull(image, image.index.digest) == [])
        upstream.stop()
        #expect(try puller.pull(image) == [])
    }

    @Test func dockerHubAndQuayShareOneListener() throws {
        let hub = try LoopbackRegistry(.dockerHub)
        let quay = try LoopbackRegistry(.quay)
        let other = ImageFixture(seed: 11, flavour: .docker)
        hub.add(image, "library/a")
        quay.add(other, "org/b")
        let daemon = try DaemonProcess(
            DaemonConfiguration([
                DaemonConfiguration.proxy("docker.io", hub),
                DaemonConfiguration.proxy("quay.io", quay),
            ]))
        let first = Puller(daemon, "/v2/library/a", query: "?ns=docker.io")
        let second = Puller(daemon, "/v2/org/b", query: "?ns=quay.io")
        let third = Puller(daemon, "/v2/quay.io/org/b")
        #expect(try first.pull(image) == [])
        #expect(try second.pull(other) == [])
        let before = (hub.count(), quay.count(role: .cdn))
        #expect(try third.pull(other) == [])
        #expect(quay.count(role: .cdn) == before.1)
        // The name of one registry never opens the content of another (AUTH-1).
        let stray = Puller(daemon, "/v2/org/b", query: "?ns=docker.io")
        let blob = other.platforms[0].layers[0]
        #expect(try RawClient.request(daemon.address, stray.blob(blob)).status == 404)
    }

    // design.md §1: what was pulled stays pullable.
    @Test func aRestartKeepsEverything() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        let configuration = DaemonConfiguration(upstream)
        let first = try DaemonProcess(configuration)
        #expect(try Puller(first, "/v2/docker.io/library/a").pull(image) == [])
        #expect(first.stop() == .exited(0))
        upstream.stop()
        let second = try DaemonProcess(configuration, home: first.home)
        #expect(try Puller(second, "/v2/docker.io/library/a").pull(image) == [])
        #expect(second.startUp < .seconds(2))
    }

    // protocol.md §10.4.1
    @Test func theApiAnswersAtEveryVersionAddress() throws {
        let upstream = try LoopbackRegistry()
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        for target in ["/v2/", "/v2", "/v2/?ns=docker.io", "/docker.io/v2/"] {
            let answer = try RawClient.request(daemon.address, target)
            #expect(answer.status == 200, "\(target)")
            #expect(answer.text == "{}", "\(target)")
            #expect(answer["Docker-Distribution-Api-Version"] == "registry/2.0", "\(target)")
        }
    }

    // protocol.md §10.4.2, UP-9
    @Test func headSaysWhatGetWouldAndKeepsTheConnection() throws {
        let upstream = try LoopbackRegistry(.dockerHub)
        upstream.add(image, "library/a")
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let layer = image.platforms[0].layers[1]
        let client = try RawClient(daemon.address)
        for reference in ["latest", image.index.digest] {
            let head = try client.request(puller.manifest(reference), method: "HEAD")
            #expect(head.status == 200)
            #expect(head.contentLength == image.index.content.size)
            #expect(head["Content-Type"] == image.index.mediaType)
            #expect(head["Docker-Content-Digest"] == image.index.digest)
            #expect(head["ETag"] == "\"\(image.index.digest)\"")
            #expect(head["Cache-Status"]?.contains("cistern") == true)
        }
        let blob = try client.request(puller.blob(layer), method: "HEAD")
        #expect(blob.status == 200)
        #expect(blob.contentLength == layer.size)
        #expect(blob["Accept-Ranges"] == "bytes")
        #expect(try client.request("/v2/").status == 200)
    }

    // protocol.md §10.4.3: Accept chooses nothing.
    @Test func everyAcceptGetsTheSameBytes() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let accepts: [[(String, String)]] = [
            [], [("Accept", "*/*")], [("Accept", "application/json")],
            Puller.manifestTypes.map { ("Accept", $0) } + [("Accept", "*/*"), ("Accept", "a/b")],
        ]
        for fields in accepts {
            let answer = try RawClient.request(
                daemon.address, puller.manifest("latest"), fields: fields,
                sink: .compare(image.index.content))
            #expect(answer.isRight)
            #expect(answer["Content-Type"] == image.index.mediaType)
        }
        let asked = upstream.requests("/manifests/").compactMap { $0["Accept"] }
        #expect(!asked.isEmpty)
        #expect(asked.allSatisfy { $0.contains("oci.image.index") && $0.contains("*/*") })
    }

    // INT-7
    @Test func sha512BlobsAndManifestsAreServed() throws {
        let upstream = try LoopbackRegistry()
        let blob = TestContent(seed: 512, size: 300_000)
        upstream.add(blob, algorithm: .sha512)
        upstream.add(image.index, "library/a", algorithm: .sha512)
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        for _ in 0..<2 {
            let answer = try RawClient.request(
                daemon.address, puller.blob(blob.digest(.sha512)), sink: .compare(blob))
            #expect(answer.isRight)
            let manifest = try RawClient.request(
                daemon.address, puller.manifest(image.index.content.digest(.sha512)),
                sink: .compare(image.index.content))
            #expect(manifest.isRight)
            upstream.stop()
        }
    }

    @Test func anyMediaTypeIsServedByteForByte() throws {
        let upstream = try LoopbackRegistry()
        let config = TestContent("{}")
        upstream.add(config)
        let type = "application/vnd.oci.image.manifest.v1+json"
        let json =
            #"{ "schemaVersion":2,  "mediaType":"\#(type)","artifactType":"a/weird+json","#
            + #""config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"\#(config.digest)","#
            + #""size":2},"layers":[],"custom":{"x":[1,2.5e3,null]}}"#
        let document = ImageFixture.Document(mediaType: type, content: TestContent(json))
        upstream.add(document, "org/artifact", tags: ["v1"])
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let puller = Puller(daemon, "/v2/docker.io/org/artifact")
        for reference in ["v1", document.digest] {
            let answer = try RawClient.request(
                daemon.address, puller.manifest(reference), sink: .compare(document.content))
            #expect(answer.isRight)
            #expect(answer["Content-Type"] == type)
        }
        #expect(try puller.get(config).isRight)
    }

    @Test func theEmptyBlobIsABlob() throws {
        let upstream = try LoopbackRegistry()
        let empty = TestContent("")
        upstream.add(empty)
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        for fields in [[], [("Range", "bytes=0-")]] {
            let answer = try RawClient.request(
                daemon.address, puller.blob(empty), fields: fields, sink: .compare(empty))
            #expect(answer.status == 200)
            #expect(answer.contentLength == 0)
        }
    }

    // protocol.md §10.4.17
    @Test func oddButValidNamesWork() throws {
        let upstream = try LoopbackRegistry()
        let names = [
            "manifests/blobs/tags", "a/manifests", "blobs", "tags/list",
            String(repeating: "a", count: 100) + "/" + String(repeating: "b", count: 100),
        ]
        let tag = String(repeating: "t", count: 128)
        for name in names { upstream.add(image, name, tags: ["latest", tag]) }
        let daemon = try DaemonProcess(
            DaemonConfiguration(
                [DaemonConfiguration.proxy("quay.io", upstream)],
                listeners: [#"repository = "quay.io""#]))
        for name in names {
            #expect(try Puller(daemon, "/v2/\(name)").pull(image) == [], "\(name)")
            #expect(try Puller(daemon, "/v2/\(name)").pull(image, tag) == [], "\(name)")
        }
    }

    // protocol.md §1.7
    @Test(
        arguments: [
            ("/v2/docker.io/library/a/manifests/none", [404], "MANIFEST_UNKNOWN"),
            ("/v2/docker.io/library/none/manifests/latest", [404], ""),
            ("/v2/docker.io/library/a/manifests/sha256:baddigeststring", [400, 404], ""),
            ("/v2/docker.io/library/a/blobs/sha256:abc", [400, 404], ""),
            ("/v2/docker.io/library/A/manifests/latest", [400, 404], ""),
            ("/v2/docker.io/library/a/nonsense/x", [404], ""),
            ("/elsewhere", [404], ""),
        ])
    func whatIsNotThereIsAnOciError(target: String, statuses: [Int], code: String) throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let answer = try RawClient.request(daemon.address, target)
        #expect(statuses.contains(answer.status), "\(answer.status) \(answer.text)")
        #expect(answer["Content-Type"]?.hasPrefix("application/json") == true)
        #expect(answer.text.hasPrefix(#"{"errors":[{"#))
        if !code.isEmpty { #expect(answer.text.contains(code)) }
    }

    @Test func tooLongTagsAndUpperCaseDigestsAreRefusedWithoutAskingUpstream() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let upper = "sha256:" + image.index.digest.dropFirst(7).uppercased()
        for reference in [String(repeating: "t", count: 129), upper, ".dot", "a%2Fb"] {
            let answer = try RawClient.request(daemon.address, puller.manifest(reference))
            #expect([400, 404].contains(answer.status), "\(reference)")
        }
        #expect(upstream.count() == 0)
    }

    @Test func proxiesAreReadOnly() throws {
        // AUTH-10
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        for (method, target) in [
            ("PUT", "manifests/x"), ("DELETE", "manifests/latest"), ("POST", "blobs/uploads/"),
        ] {
            let answer = try RawClient.request(
                daemon.address, "/v2/docker.io/library/a/\(target)", method: method,
                fields: [("Content-Length", "0")])
            #expect([403, 405].contains(answer.status), "\(method) \(answer.status)")
        }
        #expect(upstream.requests.allSatisfy { $0.method == "GET" || $0.method == "HEAD" })
    }
}
