import TestSupport
import Testing

/// Docker Hub counts pulls: they are spared, and its refusals stay between it and Cistern.
@Suite("E32 budget", .realParts)
struct E32_BudgetTests {
    private let old = ImageFixture(seed: 320)
    private let new = ImageFixture(seed: 321)

    private func start(
        _ persona: LoopbackRegistry.Persona = .plain, _ extra: String = "tag_ttl = \"1s\""
    ) throws -> (LoopbackRegistry, DaemonProcess, Puller) {
        let upstream = try LoopbackRegistry(persona)
        upstream.add(old, "library/a")
        upstream.add(new, "library/a", tags: ["new"])
        let daemon = try DaemonProcess(DaemonConfiguration(upstream, extra: extra))
        return (upstream, daemon, Puller(daemon, "/v2/docker.io/library/a"))
    }

    private func metric(_ daemon: DaemonProcess, _ name: String) throws -> String? {
        let text = try RawClient.request(daemon.admin, "/metrics").text
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(name){") }
        return line.flatMap { $0.split(separator: " ").last.map(String.init) }
    }

    // UP-6: HEAD is free, GET is not; a digest that nobody has is worth a pull.
    @Test func aMovedTagWaitsWhenFewPullsAreLeft() throws {
        let (upstream, daemon, puller) = try start(.dockerHub)
        upstream.state.with { $0.rateLimit = 40 }
        let target = puller.manifest("latest")
        #expect(try RawClient.request(daemon.address, target).body == old.index.content.bytes)
        upstream.state.with { $0.pullsCounted = 37 }
        upstream.tag("library/a", "latest", new.index.digest)
        upstream.forgetRequests()
        var stale: WireResponse?
        let isStale = try poll {
            let answer = try RawClient.request(daemon.address, target)
            #expect(answer.status == 200 && answer.body == old.index.content.bytes)
            if answer["Warning"] != nil { stale = answer }
            return stale != nil
        }
        #expect(isStale)
        #expect(stale?.all("Warning").first == #"110 - "Response is Stale""#)
        #expect(stale?["Cache-Status"]?.contains("fwd=stale; detail=") == true)
        #expect(upstream.count("/manifests/", method: "HEAD") > 0)
        #expect(upstream.count("/manifests/", method: "GET") == 0)
        #expect(try metric(daemon, "cistern_upstream_rate_limit_pulls") == "40")
        #expect(try metric(daemon, "cistern_upstream_rate_limit_remaining_pulls") == "3")
        let asked = puller.manifest(new.index.digest)
        #expect(try RawClient.request(daemon.address, asked).body == new.index.content.bytes)
        #expect(upstream.count("/manifests/", method: "GET") == 1)
    }

    // UP-5, UP-10: containerd shows people the status line and nothing else.
    @Test(arguments: ["300", "Thu, 31 Dec 2099 23:59:59 GMT"])
    func aLimitIsObeyedAndExplained(retryAfter: String) throws {
        let (upstream, daemon, puller) = try start()
        #expect(try puller.pull(old) == [])
        let refusal = UpstreamFault.status(429, headers: [("Retry-After", retryAfter)])
        upstream.inject(refusal, on: "/manifests/", method: nil)
        upstream.forgetRequests()
        let unknown = puller.manifest("unknown")
        let seconds = retryAfter == "300" ? 300 : 900
        for method in ["GET", "HEAD", "GET"] {
            let answer = try RawClient.request(daemon.address, unknown, method: method)
            #expect(answer.status == 503)
            let wait = answer["Retry-After"].flatMap { Int($0) } ?? 0
            #expect((seconds - 30...seconds).contains(wait))
            #expect(answer.reason == "docker.io pull limit reached, retry in \(wait) s")
            #expect(method == "HEAD" || answer.text.contains(#""code":"TOOMANYREQUESTS""#))
        }
        let other = try RawClient.request(daemon.address, "/v2/docker.io/library/b/manifests/1")
        #expect(other.status == 503)
        let isStale = try poll {
            let answer = try RawClient.request(daemon.address, puller.manifest("latest"))
            #expect(answer.status == 200)
            return answer["Cache-Status"]?.contains("fwd=stale; fwd-status=429") == true
                && answer.all("Warning").first?.hasPrefix("110 - ") == true
        }
        #expect(isStale)
        #expect(upstream.count("/manifests/") == 1, "nothing before Retry-After is over")
        let blocked = try metric(daemon, "cistern_upstream_blocked_until_timestamp_seconds")
        #expect(blocked.flatMap { Int($0) } ?? 0 > 1_600_000_000)
        // Blobs are counted by somebody else.
        #expect(try puller.get(new.blobs[0]).isRight)
    }

    @Test func aLimitOnBlobsIsObeyed() throws {
        let (upstream, daemon, puller) = try start()
        upstream.inject(
            .status(429, headers: [("Retry-After", "400")]), on: "/blobs/", method: nil)
        for blob in old.blobs + new.blobs {
            let answer = try RawClient.request(daemon.address, puller.blob(blob))
            #expect(answer.status == 503)
            #expect(answer.reason.hasPrefix("docker.io pull limit reached, retry in "))
        }
        #expect(upstream.count("/blobs/") == 1)
        #expect(
            try RawClient.request(daemon.address, puller.manifest("latest")).status == 200)
    }

    // HTTP-8, UP-10: what containerd shows of each kind of trouble.
    @Test func everyTroubleSaysInItsStatusLineWhatItIs() throws {
        let cases: [(UpstreamFault, Int, String)] = [
            (.status(500), 502, "docker.io answered 500"),
            (.status(403), 403, "docker.io denies access"),
            (.dropped, 502, "docker.io broke off"),
            (.captivePortal, 502, "docker.io sent wrong bytes"),
            (
                .digestHeader("sha256:" + String(repeating: "0", count: 64)), 502,
                "docker.io sent wrong bytes"
            ),
        ]
        for (fault, status, reason) in cases {
            let (upstream, daemon, puller) = try start()
            upstream.inject(fault, on: "/manifests/", method: nil)
            let answer = try RawClient.request(daemon.address, puller.manifest("latest"))
            #expect(answer.status == status && answer.reason == reason, "\(fault)")
        }
        let (upstream, daemon, puller) = try start()
        upstream.stop()
        let answer = try RawClient.request(daemon.address, puller.manifest("latest"))
        #expect(answer.status == 502 && answer.reason == "docker.io unreachable")
        #expect(answer["Retry-After"] != nil)
    }
}
