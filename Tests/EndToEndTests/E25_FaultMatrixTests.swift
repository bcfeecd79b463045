import TestSupport
import Testing

/// Every fault at the first, a middle and the last byte, in every framing: no client ever
/// completes a wrong body, and the next pull is right (P3, INT-1 to INT-5; issue 2, done when 4).
@Suite("E25 fault matrix", .realParts)
struct E25_FaultMatrixTests {
    /// One spoilt transfer: what happens where, how the body is framed, how often.
    struct Case: Sendable, CustomStringConvertible {
        let name: String
        let size: Int64
        let framing: ResponsePlan.Framing
        let isPersistent: Bool
        let fault: @Sendable (TestContent, Gate) -> UpstreamFault

        var description: String {
            "\(name) of \(size), \(framing), \(isPersistent ? "always" : "once")"
        }
    }

    private static let places: [(String, @Sendable (Int64) -> Int64)] = [
        ("first", { _ in 0 }), ("middle", { $0 / 2 }), ("last", { $0 - 1 }),
    ]

    private static func cases(_ framing: ResponsePlan.Framing) -> [Case] {
        var result: [Case] = []
        for size: Int64 in [100_000, 1_500_000] {
            for isPersistent in [true, false] {
                func add(
                    _ name: String,
                    _ fault: @escaping @Sendable (TestContent, Gate) -> UpstreamFault
                ) {
                    result.append(
                        Case(
                            name: name, size: size, framing: framing, isPersistent: isPersistent,
                            fault: fault))
                }
                for (place, offset) in places {
                    add("flip \(place)") { blob, _ in .flip(at: offset(blob.size)) }
                    add("truncate \(place)") { blob, _ in .truncate(at: offset(blob.size)) }
                    add("reset \(place)") { blob, _ in .reset(at: offset(blob.size)) }
                    add("stall \(place)") { blob, gate in .stall(at: offset(blob.size), gate) }
                }
                add("one byte more") { _, _ in .extra(1) }
                add("many bytes more") { _, _ in .extra(70_000) }
                if framing == .length {
                    for delta: Int64 in [-1, 1, -1000, 1000] {
                        add("length off by \(delta)") { _, _ in .wrongLength(by: delta) }
                    }
                }
            }
        }
        return result
    }

    /// Each case has an upstream of its own, so that no breaker hides another's fault.
    @Test(arguments: ResponsePlan.Framing.allCases)
    func noClientCompletesAWrongBody(framing: ResponsePlan.Framing) throws {
        let cases = Self.cases(framing)
        let upstreams = try cases.map { _ in try LoopbackRegistry() }
        let extra = "stall_timeout = \"1s\"\nfirst_byte_timeout = \"2s\"\nretries = 1"
        let tables = upstreams.enumerated().map { number, upstream in
            DaemonConfiguration.proxy("c\(number).example", upstream, extra)
        }
        let daemon = try DaemonProcess(DaemonConfiguration(tables))
        let problems = Monitor<[String]>([])
        let next = Monitor(0)
        _ = try concurrently(12) { _ in
            while true {
                let number = next.with { value in
                    defer { value += 1 }
                    return value
                }
                guard number < cases.count else { return }
                let found = try run(
                    cases[number], number, upstreams[number],
                    Puller(daemon, "/v2/c\(number).example/a"))
                problems.with { $0 += found.map { "\(cases[number]): \($0)" } }
            }
        }
        let found = problems.read { $0 }
        #expect(found == [])
        print("E25 \(framing): \(cases.count) faults")
    }

    private func run(
        _ each: Case, _ number: Int, _ upstream: LoopbackRegistry, _ puller: Puller
    ) throws -> [String] {
        let blob = TestContent(seed: UInt64(2500 + number), size: each.size)
        let gate = Gate()
        upstream.add(blob)
        upstream.inject(
            .framing(each.framing), each.fault(blob, gate), on: blob.digest,
            times: each.isPersistent ? nil : 1)
        let middle = each.size / 2
        // Two clients for the whole, one for the second half, all at once.
        let answers = try concurrently(3) { client in
            let offset = client == 2 ? middle : 0
            return try RawClient.request(
                puller.address, puller.blob(blob),
                fields: client == 2 ? [("Range", "bytes=\(middle)-")] : [],
                sink: .compare(blob, offset: offset), timeout: .seconds(40))
        }
        var problems: [String] = []
        for answer in answers {
            if answer.isCompleteButWrong { problems.append("completed wrong: \(answer)") }
            if answer.ending == .timedOut { problems.append("hung: \(answer)") }
            // FIN, not RST: containerd gives up after a reset (clients.md).
            if answer.ending == .reset { problems.append("reset: \(answer)") }
        }
        gate.open()
        upstream.heal()
        let next = try puller.get(blob)
        if !next.isRight { problems.append("next pull: \(next)") }
        return problems
    }

    // INT-2, INT-8: manifests are verified before the status line.
    @Test func badManifestsAreNeverServedNorBound() throws {
        let image = ImageFixture(seed: 25)
        let other = ImageFixture(seed: 251)
        let middle = image.index.content.size / 2
        let faults: [(String, [UpstreamFault])] = [
            ("flip", [.flip(at: middle)]), ("truncate", [.truncate(at: middle)]),
            ("chunked truncate", [.framing(.chunked), .truncate(at: middle)]),
            ("captive portal", [.captivePortal]), ("empty", [.otherBody(TestContent(""))]),
            ("digest header", [.digestHeader(other.index.digest)]),
            ("another manifest", [.otherBody(other.index.content)]),
            ("gzip", [.header("Content-Encoding", "gzip")]),
            ("html", [.otherBody(TestContent("<html>"))]), ("endless", [.endlessHeaders]),
            (
                "ambiguous",
                [.otherBody(TestContent(#"{"schemaVersion":2,"manifests":[],"layers":[]}"#))]
            ),
            ("deep", [.otherBody(TestContent(String(repeating: "[", count: 100_000)))]),
            ("huge", [.otherBody(TestContent(seed: 1, size: 9 << 20))]),
        ]
        for (name, fault) in faults {
            let upstream = try LoopbackRegistry()
            upstream.add(image, "library/a")
            let daemon = try DaemonProcess(DaemonConfiguration(upstream))
            let puller = Puller(daemon, "/v2/docker.io/library/a")
            for each in fault {
                upstream.inject(each, on: "/manifests/", method: nil)
            }
            for reference in ["latest", image.index.digest] {
                // Another valid manifest under a tag, honestly framed, is simply that tag.
                if name == "another manifest" || name == "digest header", reference == "latest" {
                    continue
                }
                let answer = try RawClient.request(daemon.address, puller.manifest(reference))
                #expect(answer.status >= 400, "\(name) \(reference): \(answer.status)")
                #expect(answer.ending == .complete, "\(name) \(reference)")
            }
            upstream.heal()
            #expect(poll(within: .seconds(20)) { (try? puller.pull(image)) == [] }, "\(name)")
        }
    }

    // INT-3
    @Test func encodedBlobsAreRefused() throws {
        let upstream = try LoopbackRegistry()
        let blob = TestContent(seed: 252, size: 600_000)
        upstream.add(blob)
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        upstream.inject(.header("Content-Encoding", "gzip"), on: blob.digest)
        let answer = try RawClient.request(
            daemon.address, puller.blob(blob), fields: [("Accept-Encoding", "gzip, zstd")],
            sink: .compare(blob))
        #expect(answer.status == 502)
        #expect(upstream.requests.allSatisfy { $0["Accept-Encoding"] == "identity" })
        upstream.heal()
        #expect(poll(within: .seconds(15)) { (try? puller.get(blob).isRight) == true })
    }

    // INT-1: nothing of a bad body stays on disk.
    @Test func aBadBodyLeavesNothingOnDisk() throws {
        let upstream = try LoopbackRegistry()
        let blob = TestContent(seed: 253, size: 4 << 20)
        upstream.add(blob)
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        upstream.inject(.flip(at: 1 << 20), on: blob.digest)
        let answer = try Puller(daemon, "/v2/docker.io/library/a").get(blob)
        #expect(answer.ending == .short || answer.status == 502)
        let isClean = poll(within: .seconds(5)) {
            Files.walk(daemon.storePath).allSatisfy { $0.isDirectory || $0.size < 2 << 20 }
        }
        #expect(isClean)
        let isCounted = poll {
            (try? daemon.metricSum("cistern_upstream_errors_total", "digest_mismatch")) ?? 0 >= 1
        }
        #expect(isCounted)
    }
}
