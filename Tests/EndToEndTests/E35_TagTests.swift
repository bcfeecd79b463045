import TestSupport
import Testing

/// What a tag means, for how long, and when the upstream has trouble (UP-5, UP-6, UP-9).
@Suite("E35 tags", .realParts)
struct E35_TagTests {
    private let old = ImageFixture(seed: 35)
    private let new = ImageFixture(seed: 36)

    private func start(_ ttl: String, _ persona: LoopbackRegistry.Persona = .dockerHub) throws -> (
        LoopbackRegistry, DaemonProcess, @Sendable () throws -> WireResponse
    ) {
        let upstream = try LoopbackRegistry(persona)
        upstream.add(old, "library/a")
        upstream.add(new, "library/a", tags: [])
        let daemon = try DaemonProcess(
            DaemonConfiguration(upstream, extra: "tag_ttl = \"\(ttl)\"\nmissing_ttl = \"1s\""))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let address = daemon.address
        return (
            upstream, daemon,
            { try RawClient.request(address, puller.manifest("latest")) }
        )
    }

    @Test func aFreshTagAsksNobody() throws {
        let (upstream, daemon, get) = try start("1h")
        #expect(try get().body == old.index.content.bytes)
        let asked = upstream.count()
        upstream.tag("library/a", "latest", new.index.digest)
        for _ in 0..<5 { #expect(try get().body == old.index.content.bytes) }
        #expect(upstream.count() == asked)
        #expect(try get()["Cache-Status"]?.contains("hit") == true)
        withExtendedLifetime(daemon) {}
    }

    // HEAD is free on Docker Hub.
    @Test func anOldTagIsRevalidatedByHead() throws {
        let (upstream, daemon, get) = try start("1s")
        #expect(try get().status == 200)
        let pulls = upstream.state.read { $0.pullsCounted }
        upstream.forgetRequests()
        #expect(
            try poll {
                try get().status == 200 && upstream.count("/manifests/latest", method: "HEAD") > 0
            })
        #expect(upstream.state.read { $0.pullsCounted } == pulls)
        upstream.tag("library/a", "latest", new.index.digest)
        #expect(try poll { try get().body == new.index.content.bytes })
        withExtendedLifetime(daemon) {}
    }

    @Test func anUpstreamThatRefusesHeadIsAskedByGet() throws {
        let (upstream, daemon, get) = try start("1s", .plain)
        upstream.inject(.status(405), on: "/manifests/", method: "HEAD")
        #expect(try get().status == 200)
        upstream.tag("library/a", "latest", new.index.digest)
        #expect(try poll { try get().body == new.index.content.bytes })
        withExtendedLifetime(daemon) {}
    }

    // UP-6, protocol.md §10.4.10
    @Test func upstreamTroubleServesTheTagStale() throws {
        let faults: [UpstreamFault] = [
            .status(500), .status(503), .status(429), .dropped, .captivePortal,
        ]
        for fault in faults {
            let (upstream, daemon, get) = try start("1s", .plain)
            #expect(try get().status == 200)
            upstream.inject(fault, on: "/manifests/", method: nil)
            let isStale = try poll(within: .seconds(20)) {
                let answer = try get()
                #expect(answer.status == 200 && answer.body == old.index.content.bytes, "\(fault)")
                return answer["Cache-Status"]?.contains("stale") == true
                    && answer["Warning"]?.contains("110") == true
            }
            #expect(isStale, "\(fault)")
            withExtendedLifetime(daemon) {}
        }
    }

    @Test func aGoneUpstreamServesTheTagStale() throws {
        let (upstream, daemon, get) = try start("1s")
        #expect(try get().status == 200)
        upstream.stop()
        let isStale = try poll(within: .seconds(20)) {
            let answer = try get()
            #expect(answer.status == 200)
            return answer["Warning"]?.contains("110") == true
        }
        #expect(isStale)
        try upstream.start()
        upstream.tag("library/a", "latest", new.index.digest)
        #expect(try poll(within: .seconds(80)) { try get().body == new.index.content.bytes })
        withExtendedLifetime(daemon) {}
    }

    @Test(arguments: [401, 403, 404])
    func anUpstreamThatSaysNoIsObeyed(status: Int) throws {
        let (upstream, daemon, get) = try start("1s", .plain)
        #expect(try get().status == 200)
        upstream.inject(.status(status), on: "/manifests/", method: nil)
        let isObeyed = try poll(within: .seconds(20)) { [403, 404].contains(try get().status) }
        #expect(isObeyed)
        withExtendedLifetime(daemon) {}
    }

    // UP-5
    @Test func whatIsMissingIsNotAskedAgainAndAgain() throws {
        let (upstream, daemon, _) = try start("1h", .plain)
        let target = "/v2/docker.io/library/a/manifests/none"
        for _ in 0..<3 { #expect(try RawClient.request(daemon.address, target).status == 404) }
        #expect(upstream.count("/manifests/none") <= 2)
        upstream.add(new, "library/a", tags: ["none"])
        #expect(
            try poll(within: .seconds(40)) {
                try RawClient.request(daemon.address, target).status == 200
            })
    }

    // UP-10: a limit upstream is "cannot help", not 429.
    @Test func aRateLimitIsNotPassedOn() throws {
        let (upstream, daemon, get) = try start("1h")
        upstream.state.with { $0.rateLimit = 0 }
        let answer = try get()
        #expect(answer.status == 503)
        #expect(answer["Retry-After"] != nil)
        withExtendedLifetime(daemon) {}
    }

    // P8: a dead upstream costs milliseconds once the breaker is open.
    @Test func anUnreachableUpstreamAtStartIsNoReasonNotToStart() throws {
        let (upstream, daemon, get) = try start("1h")
        #expect(try get().status == 200)
        daemon.kill()
        upstream.stop()
        let again = try DaemonProcess(
            DaemonConfiguration(upstream, extra: "tag_ttl = \"1s\""), home: daemon.home)
        let puller = Puller(again, "/v2/docker.io/library/a")
        #expect(try RawClient.request(again.address, puller.manifest("latest")).status == 200)
        let unknown = try RawClient.request(again.address, puller.manifest("unknown"))
        #expect([502, 503, 504].contains(unknown.status))
        #expect(try RawClient.request(again.admin, "/readyz").status == 200)
    }
}
