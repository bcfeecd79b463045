import Glibc
import TestSupport
import Testing

/// Requirements that no other suite is about, one test each.
@Suite("E78 requirements", .realParts)
struct E78_RequirementTests {
    // INT-12: the verified bytes of a digest win over whatever a second upstream claims for it.
    @Test func aSecondUpstreamCannotRelabelADigest() throws {
        let (honest, liar) = (try LoopbackRegistry(), try LoopbackRegistry())
        let blob = TestContent(seed: 781, size: 900_000)
        honest.add(blob)
        liar.add(blob)
        liar.inject(.otherBody(TestContent(seed: 782, size: blob.size)), on: blob.digest)
        let daemon = try DaemonProcess(
            DaemonConfiguration([
                DaemonConfiguration.proxy("honest.example", honest),
                DaemonConfiguration.proxy("liar.example", liar),
            ]))
        let (first, second) = (
            Puller(daemon, "/v2/honest.example/a"), Puller(daemon, "/v2/liar.example/a")
        )
        let claimed = try second.get(blob)
        #expect(!claimed.isRight && !claimed.isCompleteButWrong, "\(claimed)")
        #expect(try first.get(blob).isRight)
        // What everybody may read is shown on the liar's word, once it is stored; never its bytes.
        #expect(try !second.get(blob).isCompleteButWrong)
        honest.stop()
        #expect(try first.get(blob).isRight)
        let isCounted = poll {
            let name = "cistern_upstream_errors_total"
            return ((try? daemon.metricSum(name, "digest_mismatch")) ?? 0) >= 1
        }
        #expect(isCounted)
    }

    // AUTH-2: what a repository lost is not readable through it because another one has it again.
    @Test func membershipGoneIsGoneWhateverOthersDo() throws {
        let (one, two) = (try LoopbackRegistry(), try LoopbackRegistry())
        let shared = TestContent(seed: 783, size: 4 << 20)
        let filler = (0..<6).map { TestContent(seed: UInt64(7840 + $0), size: 4 << 20) }
        for upstream in [one, two] { upstream.add(shared) }
        for blob in filler { two.add(blob) }
        let daemon = try DaemonProcess(
            DaemonConfiguration(
                [
                    DaemonConfiguration.proxy("one.example", one),
                    DaemonConfiguration.proxy("two.example", two),
                ], cache: "max_size = \"18MiB\""))
        let (first, second) = (
            Puller(daemon, "/v2/one.example/a"), Puller(daemon, "/v2/two.example/a")
        )
        #expect(try first.get(shared).isRight)
        // Pulled away by others, then taken back by the second repository only.
        for blob in filler { #expect(try second.get(blob).isRight) }
        one.forget(shared)
        #expect(try second.get(shared).isRight)
        #expect(try RawClient.request(daemon.address, first.blob(shared)).status == 404)
        #expect(try second.get(shared).isRight)
    }

    // RES-3: an upstream whose list never ends is left after a bounded number of pages.
    @Test func anEndlessTagListEnds() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(ImageFixture(seed: 785), "library/a")
        let link = "</v2/library/a/tags/list?n=1000&last=latest>; rel=\"next\""
        upstream.inject(.header("Link", link), on: "/tags/list")
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let answer = try RawClient.request(
            daemon.address, "/v2/docker.io/library/a/tags/list?n=99999999", timeout: .seconds(40))
        #expect(answer.ending == .complete)
        #expect(upstream.count("/tags/list") <= 1000)
        #expect(answer.status == 200 ? answer.text.contains("latest") : answer.status >= 500)
    }

    // HTTP-9: nothing an upstream wrote reaches a client's error page.
    @Test func errorBodiesAreOurOwn() throws {
        let upstream = try LoopbackRegistry()
        let secret = "<script>upstream says</script>"
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        for status in [400, 403, 404, 418, 429, 500, 503] {
            upstream.heal()
            let extra = [("Content-Type", "text/html"), ("NEL", "x"), ("Set-Cookie", "a=b")]
            upstream.inject(
                .status(status, headers: extra, body: secret), on: "/v2/library", method: nil)
            let target = "/v2/docker.io/library/p\(status)/manifests/latest"
            let answer = try RawClient.request(daemon.address, target)
            #expect(answer.status >= 400, "\(status)")
            #expect(answer.text.contains(#""errors":["#), "\(status): \(answer.text)")
            #expect(!answer.text.contains("script") && !answer.reason.contains("script"))
            #expect(answer["Content-Type"] == "application/json")
            #expect(answer["X-Content-Type-Options"] == "nosniff")
            #expect(answer["NEL"] == nil && answer["Set-Cookie"] == nil)
        }
    }

    // LOC-5
    @Test func rootHasToSaySo() throws {
        guard geteuid() == 0 else { return }
        let home = try TemporaryDirectory()
        let file = try home.write(
            "c.toml", DaemonConfiguration().text(store: home.file("store")), mode: 0o600)
        let answer = try Command.run(try DaemonProcess.binary(), ["serve", "--config", file])
        #expect(answer.code == 77)
        #expect(answer.stderr.contains("--allow-root"), "\(answer)")
        #expect(!Files.isDirectory(home.file("store")), "nothing was made")
    }

    // LOC-6
    @Test func thereAreNoDebugRoutes() throws {
        let daemon = try DaemonProcess(DaemonConfiguration(try LoopbackRegistry()))
        let paths = [
            "/debug/pprof/", "/debug/vars", "/debug", "/_test", "/test", "/admin", "/v2/_debug",
            "/shutdown", "/reload", "/gc", "/v2/_catalog/../debug", "/metrics/../debug",
        ]
        for path in paths {
            for address in [daemon.address, daemon.admin] {
                for method in ["GET", "POST", "DELETE"] {
                    let answer = try RawClient.request(address, path, method: method)
                    #expect((400..<500).contains(answer.status), "\(method) \(path)")
                }
            }
        }
        let metrics = try RawClient.request(daemon.address, "/metrics")
        #expect(metrics.status == 404, "the public port has the registry alone (LOC-4)")
    }
}
