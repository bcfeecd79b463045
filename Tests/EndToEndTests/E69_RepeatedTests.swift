import Glibc
import TestSupport
import Testing

/// The same request again and again, in the same bytes, is answered from what was found the last
/// time: never longer than that is right.
@Suite("E69 the same request again", .realParts)
struct E69_RepeatedTests {
    private let image = ImageFixture(seed: 69)
    private let blob = TestContent(seed: 6901, size: 48 << 10)

    private func upstream() throws -> LoopbackRegistry {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        upstream.add(blob)
        return upstream
    }

    private func reload(_ daemon: DaemonProcess, _ configuration: DaemonConfiguration) throws {
        let reloads = daemon.log.ranges(of: "msg=reloaded").count
        try Files.write(
            daemon.configurationFile, Array(configuration.text(store: daemon.storePath).utf8))
        daemon.child.signal(SIGHUP)
        #expect(poll { daemon.log.ranges(of: "msg=reloaded").count > reloads })
    }

    // OPS-6, UP-1: the same bytes each time, no upstream, every request counted and logged.
    @Test func everyAnswerIsTheSameAndIsCounted() throws {
        let upstream = try upstream()
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let targets = [
            puller.manifest("latest"), puller.manifest(image.index.digest),
            puller.blob(blob.digest),
        ]
        let client = try RawClient(daemon.address)
        for target in targets {
            let first = try client.request(target)
            #expect(first.status == 200)
            let asked = upstream.count()
            var ids: Set<String> = []
            for _ in 0..<20 {
                let answer = try client.request(target)
                #expect(answer.status == 200 && answer.body == first.body)
                #expect(answer["Docker-Content-Digest"] == first["Docker-Content-Digest"])
                #expect(answer["Content-Type"] == first["Content-Type"])
                #expect(answer["Cache-Status"]?.contains("hit") == true)
                ids.insert(answer["X-Request-Id"] ?? "")
            }
            #expect(ids.count == 20)
            #expect(upstream.count() == asked)
            #expect(poll { ids.allSatisfy { daemon.log.contains($0) } })
        }
        // Two manifest references and a blob, 21 times each.
        #expect(
            poll {
                (try? daemon.metricSum(
                    "cistern_http_requests_total", "\"manifest\"", "\"GET\"", "\"200\"")) == 42
            })
        #expect(
            try daemon.metricSum("cistern_http_requests_total", "\"blob\"", "\"GET\"", "\"200\"")
                == 21)
    }

    // AUTH-10, OPS-6: who asks for other blobs in the same words gets those, each counted, logged
    // and named as itself; but for what was never shown under that name the upstream is asked.
    @Test func otherBlobsInTheSameWordsAreThemselves() throws {
        let upstream = try upstream()
        let blobs = (0..<12).map { TestContent(seed: 6910 + $0, size: 1000 + 3000 * Int64($0)) }
        for blob in blobs { upstream.add(blob) }
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let other = Puller(daemon, "/v2/docker.io/library/b")
        let client = try RawClient(daemon.address)
        let (shown, hidden) = (blobs[..<11], blobs[11])
        for blob in shown { #expect(try client.request(puller.blob(blob.digest)).status == 200) }
        #expect(try client.request(other.blob(hidden.digest)).status == 200)
        let asked = upstream.count()
        for _ in 0..<4 {
            for blob in shown {
                let answer = try client.request(puller.blob(blob.digest))
                #expect(answer.status == 200 && answer.body == blob.bytes)
                #expect(answer["Docker-Content-Digest"] == "\(blob.digest)")
                #expect(answer["ETag"] == "\"\(blob.digest)\"")
                #expect(answer["Content-Length"] == "\(blob.bytes.count)")
                #expect(answer["Cache-Status"]?.contains("hit") == true)
            }
        }
        #expect(upstream.count() == asked)
        #expect(try client.request(puller.blob(hidden.digest)).status == 200)
        #expect(upstream.count() > asked)
        let unknown = TestContent(seed: 6999, size: 100)
        #expect(try client.request(puller.blob(unknown.digest)).status == 404)
        for blob in shown {
            let digest = "\(blob.digest)"
            #expect(poll { daemon.log.ranges(of: digest).count >= 5 }, "\(digest)")
        }
        #expect(
            try daemon.metricSum("cistern_http_requests_total", "\"blob\"", "\"GET\"", "\"200\"")
                == 57)
    }

    // INT-9
    @Test func damageInBetweenIsNoticed() throws {
        let upstream = try upstream()
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        var generator = SeededGenerator(seed: 69)
        for damage in FileDamage.allCases where !damage.isHarmless {
            for _ in 0..<4 { #expect(try puller.get(blob).isRight) }
            try damage.happen(to: daemon.path(of: blob), &generator)
            let answer = try puller.get(blob)
            #expect(!answer.isCompleteButWrong, "\(damage)")
            #expect(poll { (try? puller.get(blob).isRight) == true }, "\(damage)")
        }
        withExtendedLifetime(upstream) {}
    }

    // AUTH-10, OPS-2: what a reload forbids is forbidden with the next request.
    @Test func whatAReloadForbidsIsRefusedAtOnce() throws {
        let upstream = try upstream()
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let target = puller.manifest(image.index.digest)
        let client = try RawClient(daemon.address)
        for _ in 0..<4 { #expect(try client.request(target).status == 200) }
        try reload(daemon, DaemonConfiguration(upstream, extra: "deny = [\"library/a\"]"))
        #expect(try client.request(target).status == 403)
        try reload(daemon, DaemonConfiguration(upstream))
        for _ in 0..<4 { #expect(try client.request(target).status == 200) }
        try reload(daemon, DaemonConfiguration([DaemonConfiguration.proxy("quay.io", upstream)]))
        #expect(try client.request(target).status == 404)
    }

    // UP-5
    @Test func aTagThatMovesIsSeenWhenItsTimeIsOver() throws {
        let upstream = try upstream()
        let new = ImageFixture(seed: 70)
        upstream.add(new, "library/a", tags: [])
        let daemon = try DaemonProcess(DaemonConfiguration(upstream, extra: "tag_ttl = \"2s\""))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let client = try RawClient(daemon.address)
        let target = puller.manifest("latest")
        for _ in 0..<4 {
            #expect(try client.request(target).body == image.index.content.bytes)
        }
        upstream.tag("library/a", "latest", new.index.digest)
        // Asked all the time: being asked does not keep it alive.
        #expect(poll { (try? client.request(target).body) == new.index.content.bytes })
    }

    // AUTH-10: of a group, too; with the first push nobody else's is shown under the name.
    @Test func aGroupGivesItAgainUntilSomebodyPushes() throws {
        let scene = try HostedScene(base: "/v2/")
        scene.upstream.add(image, "library/a")
        let layer = image.platforms[0].blobs[0]
        let targets = [
            "manifests/latest", "manifests/\(image.index.digest)", "blobs/\(layer.digest)",
        ].map { scene.target("library/a", $0) }
        let client = try RawClient(scene.address)
        let first = try targets.map { try client.request($0) }
        #expect(first.allSatisfy { $0.status == 200 })
        scene.upstream.forgetRequests()
        for _ in 0..<3 {
            for _ in 0..<4 {
                for (target, first) in zip(targets, first) {
                    #expect(try client.request(target).body == first.body, "\(target)")
                }
            }
            // Under another name: nothing changes here.
            try scene.push("library/b", blob: TestContent(seed: 6920, size: 100).bytes)
        }
        #expect(scene.upstream.requests.isEmpty)
        let own = TestContent(seed: 6921, size: 100)
        try scene.push("library/a", blob: own.bytes)
        for target in targets { #expect(try client.request(target).status == 404, "\(target)") }
        let pushed = scene.target("library/a", "blobs/\(own.digest)")
        for _ in 0..<4 { #expect(try client.request(pushed).body == own.bytes) }
        #expect(try scene.request("DELETE", pushed).status == 202)
        for (target, first) in zip(targets, first) {
            #expect(try client.request(target).body == first.body, "\(target)")
        }
        #expect(try client.request(pushed).status == 404)
    }

    // What was pushed is given again until it is pushed anew or deleted.
    @Test(arguments: HostedScene.bases)
    func whatWasPushedIsGivenAgainUntilItIsDeleted(base: String) throws {
        let scene = try HostedScene(base: base)
        let client = try RawClient(scene.address)
        let tag = scene.target("app/a", "manifests/v1")
        for seed in [UInt64(6930), 6931] {
            let manifest = try scene.pushImage("app/a", "v1", seed: seed)
            let digest = scene.target("app/a", "manifests/\(MessageDigest.of(manifest))")
            for _ in 0..<4 {
                #expect(try client.request(tag).body == manifest)
                #expect(try client.request(digest).body == manifest)
            }
        }
        let blob = TestContent(seed: 6932, size: 40_000)
        try scene.push("app/a", blob: blob.bytes)
        let target = scene.target("app/a", "blobs/\(blob.digest)")
        for _ in 0..<4 { #expect(try client.request(target).body == blob.bytes) }
        for gone in [tag, target] {
            #expect(try scene.request("DELETE", gone).status == 202)
            #expect(try client.request(gone).status == 404)
        }
    }
}
