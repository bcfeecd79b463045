import TestSupport
import Testing

/// The scripted upstream itself, asked by a raw client and by real programs.
@Suite("E05 the scripted upstream", .realParts)
struct E05_LoopbackRegistryTests {
    private let image = ImageFixture(seed: 1)

    @Test func aPlainRegistryServesManifestsAndBlobs() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        let accept = [("Accept", "*/*")]
        let manifest = try RawClient.request(
            upstream.authority, "/v2/library/a/manifests/latest", fields: accept,
            sink: .compare(image.index.content))
        #expect(manifest.isRight)
        #expect(manifest["Docker-Content-Digest"] == image.index.digest)
        let layer = image.platforms[0].layers[1]
        let client = try RawClient(upstream.authority)
        let whole = try client.request(
            "/v2/library/a/blobs/\(layer.digest)", sink: .compare(layer))
        #expect(whole.isRight)
        let part = try client.request(
            "/v2/library/a/blobs/\(layer.digest)", fields: [("Range", "bytes=1000-")],
            sink: .compare(layer, offset: 1000))
        #expect(part.status == 206)
        #expect(part.isRight)
        #expect(upstream.count(layer.digest) == 2)
    }

    @Test func skopeoReadsAnImageFromEachPersona() throws {
        for persona in [LoopbackRegistry.Persona.plain, .dockerHub, .quay] {
            let upstream = try LoopbackRegistry(persona)
            upstream.add(image, "library/a")
            let directory = try TemporaryDirectory()
            try Command.succeed(
                "skopeo",
                [
                    "copy", "--all", "--src-tls-verify=false",
                    "docker://\(upstream.authority)/library/a:latest",
                    "dir:\(directory.path)/out",
                ])
            for blob in image.blobs {
                let bytes = try Files.read(directory.file("out/\(blob.digest.dropFirst(7))"))
                #expect(MessageDigest.of(bytes) == blob.digest)
            }
            if persona != .plain {
                #expect(upstream.count("", role: .cdn) == image.blobs.count)
                #expect(upstream.requests("", role: .cdn).allSatisfy { $0["Authorization"] == nil })
            }
        }
    }

    @Test func curlSeesFaultsAsTheyAreMeant() throws {
        let upstream = try LoopbackRegistry()
        let blob = TestContent(seed: 7, size: 3_000_000)
        upstream.add(blob)
        let target = "/v2/a/blobs/\(blob.digest)"
        func curl() throws -> Int32 {
            try Command.run("curl", ["-sf", "-o", "/dev/null", upstream.url + target]).code
        }
        #expect(try curl() == 0)
        upstream.inject(.truncate(at: 1_000_000), on: blob.digest, times: 1)
        #expect(try curl() == 18)
        upstream.inject(.reset(at: 1_000_000), on: blob.digest, times: 1)
        #expect(try curl() == 56)
        upstream.heal()
        upstream.inject(.framing(.chunked), on: blob.digest, times: 1)
        #expect(try curl() == 0)
        upstream.inject(.status(503), on: blob.digest, times: 1)
        #expect(try curl() == 22)
        #expect(try curl() == 0)
    }

    @Test func faultsChangeExactlyWhatTheySay() throws {
        let upstream = try LoopbackRegistry()
        let blob = TestContent(seed: 8, size: 2_500_000)
        upstream.add(blob)
        let target = "/v2/a/blobs/\(blob.digest)"
        @Sendable func get() throws -> WireResponse {
            try RawClient.request(upstream.authority, target, sink: .compare(blob))
        }
        upstream.inject(.flip(at: 2_499_999), on: blob.digest, times: 1)
        #expect(try get().isCompleteButWrong)
        upstream.heal()
        upstream.inject(.framing(.close), .truncate(at: 5), on: blob.digest, times: 1)
        let short = try get()
        #expect(short.ending == .complete && short.bodyBytes == 5)
        upstream.inject(.extra(3), .framing(.chunked), on: blob.digest, times: 1)
        #expect(try get().bodyBytes == blob.size + 3)
        upstream.inject(.wrongLength(by: 10), on: blob.digest, times: 1)
        #expect(try get().ending == .short)
        let gate = Gate()
        upstream.inject(.stall(at: 1_000_000, gate), on: blob.digest, times: 1)
        let reader = TestThread { try get() }
        #expect(gate.awaitArrivals(1))
        #expect(!reader.isFinished)
        gate.open()
        #expect(try reader.value().isRight)
    }

    @Test func aStoppedUpstreamRefusesAndComesBackOnTheSamePort() throws {
        let upstream = try LoopbackRegistry()
        let authority = upstream.authority
        upstream.stop()
        #expect(throws: SocketError.refused) { try RawClient.request(authority, "/v2/") }
        try upstream.start()
        #expect(upstream.authority == authority)
        #expect(try RawClient.request(authority, "/v2/").status == 200)
    }

    @Test func aGigabyteIsMadeOnTheFly() throws {
        let upstream = try LoopbackRegistry()
        let blob = TestContent(seed: 9, size: 1 << 30)
        upstream.add(blob)
        let watch = Stopwatch()
        let answer = try RawClient.request(
            upstream.authority, "/v2/a/blobs/\(blob.digest)", sink: .compare(blob))
        #expect(answer.isRight)
        #expect(watch.seconds < 30)
    }

    @Test func contentIsTheSameFromAnyOffset() throws {
        var generator = SeededGenerator(seed: SeededGenerator.seedOfThisRun())
        let content = TestContent(seed: 3, size: 3 << 20)
        let whole = content.bytes
        #expect(MessageDigest.of(whole) == content.digest)
        for _ in 0..<50 {
            let from = Int.random(in: 0..<whole.count, using: &generator)
            let to = Int.random(in: from...whole.count, using: &generator)
            #expect(content.bytes(in: Int64(from)..<Int64(to)) == Array(whole[from..<to]))
        }
        #expect(content.digest != TestContent(seed: 4, size: 3 << 20).digest)
    }
}
