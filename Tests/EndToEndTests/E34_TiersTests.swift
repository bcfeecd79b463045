import TestSupport
import Testing

/// A Cistern behind a Cistern: `upstream = "http://parent:5000/docker.io"`.
@Suite("E34 tiers", .realParts)
struct E34_TiersTests {
    private static let mebibyte: Int64 = 1 << 20

    /// A registry, a cache in front of it, and a cache in front of that.
    private struct Tiers {
        let origin: LoopbackRegistry
        let parent: DaemonProcess
        let child: DaemonProcess
        let puller: Puller

        init(_ extra: String = "", parentExtra: String = "") throws {
            origin = try LoopbackRegistry()
            let other = DaemonConfiguration.proxy("quay.io", origin)
            let hub = DaemonConfiguration.proxy("docker.io", origin, parentExtra)
            parent = try DaemonProcess(DaemonConfiguration([hub, other]))
            child = try DaemonProcess(
                DaemonConfiguration([
                    Self.proxy("docker.io", parent, extra), Self.proxy("quay.io", parent, extra),
                ]))
            puller = Puller(child, "/v2/docker.io/library/a")
        }

        private static func proxy(
            _ registry: String, _ parent: DaemonProcess, _ extra: String
        ) -> String {
            """
            [repositories."\(registry)"]
            type = "proxy"
            upstream = "\(parent.url)/\(registry)"
            \(extra)
            """
        }

        /// Requests for content that the parent has had.
        var parentAnswers: Double? { try? parent.metricSum("cistern_cache_requests_total") }

        func get(_ target: String, _ method: String = "GET") throws -> WireResponse {
            try RawClient.request(child.address, target, method: method)
        }
    }

    @Test func eachTierAsksTheNextOnce() throws {
        let image = ImageFixture(seed: 340)
        let tiers = try Tiers()
        tiers.origin.add(image, "library/a")
        let cold = try tiers.get(tiers.puller.blob(image.blobs[0]))
        let members = cold["Cache-Status"]?.split(separator: ",").map { $0.prefix { $0 != ";" } }
        #expect(members?.count == 2, "each tier appends: \(cold["Cache-Status"] ?? "")")
        #expect(try tiers.puller.pull(image) == [])
        let asked = tiers.origin.count()
        let parentAnswered = tiers.parentAnswers
        #expect(try tiers.puller.pull(image) == [], "warm")
        #expect(tiers.origin.count() == asked)
        #expect(tiers.parentAnswers == parentAnswered)
        for blob in image.blobs { #expect(tiers.origin.count(blob.digest, method: "GET") == 1) }
    }

    // UP-9, harbor#22609: HEAD of what is nowhere but at the origin.
    @Test func headAnswersWhatGetWould() throws {
        let image = ImageFixture(seed: 341)
        let tiers = try Tiers()
        tiers.origin.add(image, "library/a")
        for blob in image.blobs {
            let head = try tiers.get(tiers.puller.blob(blob), "HEAD")
            #expect(head.status == 200 && head.contentLength == blob.size)
            #expect(head["Docker-Content-Digest"] == blob.digest)
        }
        #expect(tiers.origin.count("/blobs/", method: "GET") == 0)
        let head = try tiers.get(tiers.puller.manifest("latest"), "HEAD")
        #expect(head.status == 200 && head["Docker-Content-Digest"] == image.index.digest)
        let absent = TestContent("nowhere")
        #expect(try tiers.get(tiers.puller.blob(absent), "HEAD").status == 404)
        #expect(try tiers.get(tiers.puller.manifest("none"), "HEAD").status == 404)
        #expect(try tiers.get("/v2/docker.io/library/a/tags/list").text.contains("latest"))
    }

    // P9 at two tiers.
    @Test(.wholeMachine) func aHundredClientsAreOneTransferAtEachTier() throws {
        let blob = TestContent(seed: 342, size: 16 * Self.mebibyte)
        let tiers = try Tiers()
        tiers.origin.add(blob)
        let gate = Gate()
        tiers.origin.inject(.stall(at: Self.mebibyte, gate), on: blob.digest)
        let clients = (0..<100).map { _ in TestThread { try tiers.puller.get(blob) } }
        _ = poll {
            (try? tiers.child.metricSum("cistern_connections")).map { $0 >= 100 } ?? false
        }
        gate.open()
        #expect(try clients.count { try $0.value().isRight } == 100)
        #expect(tiers.origin.count(blob.digest, method: "GET") == 1)
        #expect(tiers.parentAnswers == 1)
    }

    @Test func whatATierHasOutlivesTheTiersBehindIt() throws {
        let (both, parentOnly) = (ImageFixture(seed: 343), ImageFixture(seed: 344))
        let tiers = try Tiers("tag_ttl = \"1s\"", parentExtra: "tag_ttl = \"1s\"")
        tiers.origin.add(both, "library/a")
        tiers.origin.add(parentOnly, "library/b")
        #expect(try tiers.puller.pull(both) == [])
        #expect(try Puller(tiers.parent, "/v2/docker.io/library/b").pull(parentOnly) == [])
        let other = Puller(tiers.child, "/v2/docker.io/library/b")
        tiers.origin.stop()
        #expect(try tiers.puller.pull(both) == [], "the origin is gone")
        #expect(try other.pull(parentOnly) == [], "what the parent has the child gets")
        let cold = try tiers.get("/v2/docker.io/library/c/manifests/1")
        #expect([502, 503, 504].contains(cold.status))
        tiers.parent.kill()
        #expect(try tiers.puller.pull(both) == [], "the parent is gone, too")
        #expect(try other.pull(parentOnly) == [])
        let alone = try tiers.get("/v2/docker.io/library/d/manifests/1")
        #expect([502, 503, 504].contains(alone.status))
    }

    // Several proxies of the parent are told apart by the path.
    @Test func repositoriesOfTheParentAreToldApart() throws {
        let image = ImageFixture(seed: 345)
        let tiers = try Tiers()
        tiers.origin.add(image, "acme/a")
        #expect(try Puller(tiers.child, "/v2/quay.io/acme/a").pull(image) == [])
        #expect(try Puller(tiers.child, "/v2/acme/a", query: "?ns=quay.io").pull(image) == [])
        let series = try RawClient.request(tiers.parent.admin, "/metrics").text
            .split(separator: "\n")
        let hub = series.filter {
            $0.hasPrefix("cistern_upstream_requests_total{repository=\"docker.io\"")
        }
        #expect(hub.allSatisfy { $0.hasSuffix(" 0") })
    }

    // A limited grandparent: the parent's 503 is no reason to forget.
    @Test func aLimitFurtherUpReachesTheClientInWords() throws {
        let image = ImageFixture(seed: 346)
        let tiers = try Tiers("tag_ttl = \"1s\"", parentExtra: "tag_ttl = \"1s\"")
        tiers.origin.add(image, "library/a")
        #expect(try tiers.puller.pull(image) == [])
        tiers.origin.inject(
            .status(429, headers: [("Retry-After", "200")]), on: "/manifests/", method: nil)
        let refused = try tiers.get(tiers.puller.manifest("unknown"))
        #expect(refused.status == 503)
        let wait = refused["Retry-After"].flatMap { Int($0) } ?? 0
        #expect((150...200).contains(wait))
        #expect(try tiers.puller.pull(image) == [])
    }
}
