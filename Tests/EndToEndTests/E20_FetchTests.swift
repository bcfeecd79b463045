import TestSupport
import Testing

/// One cold object, many clients: joined transfers, growing ranges, resumed bodies.
@Suite("E20 fetches", .realParts)
struct E20_FetchTests {
    private static let mebibyte: Int64 = 1 << 20

    private func start(
        _ blob: TestContent, _ persona: LoopbackRegistry.Persona = .plain, extra: String = ""
    ) throws -> (LoopbackRegistry, DaemonProcess, Puller) {
        let upstream = try LoopbackRegistry(persona)
        upstream.add(blob)
        let daemon = try DaemonProcess(DaemonConfiguration(upstream, extra: extra))
        return (upstream, daemon, Puller(daemon, "/v2/docker.io/library/a"))
    }

    // P9, UP-1, RES-8; issue 2, done when 3.
    @Test(.wholeMachine) func aHundredClientsShareOneTransfer() throws {
        let blob = TestContent(seed: 20, size: 256 * Self.mebibyte)
        let (upstream, daemon, puller) = try start(blob)
        let (everyoneIsHere, started) = (Gate(), Monitor(0))
        upstream.inject(.stall(at: Self.mebibyte, everyoneIsHere), on: blob.digest)
        let before = daemon.memory.now
        let answers = try concurrently(100) { _ in
            let client = try RawClient(daemon.address)
            return try client.request(puller.blob(blob), sink: .compare(blob)) { received in
                // The transfer goes on only when all clients have their first bytes.
                if received <= 256 * 1024, !everyoneIsHere.isOpen {
                    if started.with({
                        $0 += 1
                        return $0
                    }) == 100 {
                        everyoneIsHere.open()
                    }
                    everyoneIsHere.pass()
                }
                return true
            }
        }
        #expect(answers.count { $0.isRight } == 100)
        #expect(upstream.count(blob.digest, method: "GET") == 1)
        #expect(upstream.count(blob.digest, method: "HEAD") == 0, "who joins need not ask")
        let peak = daemon.memory.peak
        print("E20: peak \(peak >> 20) MiB, before \(before >> 20) MiB")
        #expect(peak < Int64(128 * Sanitizer.factor) << 20)
    }

    // P9: as many as a large site has nodes; `CISTERN_TEST_LONG=1`: of 32 MiB, else of 4 MiB.
    @Test(.wholeMachine) func aThousandClientsShareOneTransfer() throws {
        let blob = TestContent(seed: 29, size: (isLongRun ? 32 : 4) * Self.mebibyte)
        let upstream = try LoopbackRegistry()
        upstream.add(blob)
        let limits = "[limits]\nconnections_per_address = 2000"
        let daemon = try DaemonProcess(
            DaemonConfiguration([DaemonConfiguration.proxy("docker.io", upstream), limits]))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let gate = Gate()
        upstream.inject(.stall(at: Self.mebibyte, gate), on: blob.digest)
        let clients = (0..<1000).map { number in
            TestThread {
                let client = try RawClient(daemon.address)
                // Every tenth leaves early, the first one among them.
                return try client.request(puller.blob(blob), sink: .compare(blob)) {
                    $0 < 64 * 1024 || number % 10 != 0
                }
            }
        }
        _ = poll {
            (try? daemon.metricSum("cistern_connections")).map { $0 >= 900 } ?? false
        }
        gate.open()
        let answers = try clients.map { try $0.value() }
        let right = answers.count { $0.isRight }
        let sent = upstream.requests(blob.digest, method: "GET").count
        PromiseReport.add(
            "P9", "\(clients.count) clients, a tenth leaves", figure: "\(sent) transfer",
            bound: "1", held: sent == 1)
        PromiseReport.add(
            "P9", "bodies right of those that stayed", figure: "\(right)", bound: "900",
            held: right == 900)
        #expect(sent == 1)
        #expect(right == 900)
        #expect(answers.count { $0.ending == .abandoned } == 100)
    }

    // UP-1: the first client leaves, the others get everything.
    @Test func theFirstClientMayLeave() throws {
        let blob = TestContent(seed: 21, size: 80 * Self.mebibyte)
        let (upstream, daemon, puller) = try start(blob)
        let (gate, joined) = (Gate(), Gate())
        upstream.inject(.stall(at: 2 * Self.mebibyte, gate), on: blob.digest)
        let first = TestThread {
            try RawClient(daemon.address).request(puller.blob(blob), sink: .compare(blob)) { _ in
                joined.pass()
                return false
            }
        }
        #expect(joined.awaitArrivals(1))
        let others = (0..<5).map { _ in
            TestThread {
                try RawClient(daemon.address).request(puller.blob(blob), sink: .compare(blob)) {
                    if $0 < 1000 { joined.pass() }
                    return true
                }
            }
        }
        _ = poll { upstream.count(blob.digest) == 1 && gate.arrivals == 1 }
        joined.open()
        #expect(try first.value().ending == .abandoned)
        gate.open()
        for other in others { #expect(try other.value().isRight) }
        #expect(upstream.count(blob.digest) == 1)
    }

    // UP-3: a small fill goes on without any client.
    @Test func aSmallFillOutlivesItsOnlyClient() throws {
        let blob = TestContent(seed: 22, size: 8 * Self.mebibyte)
        let (upstream, daemon, puller) = try start(blob)
        let gate = Gate()
        upstream.inject(.stall(at: Self.mebibyte, gate), on: blob.digest)
        let answer = try RawClient(daemon.address).request(puller.blob(blob)) { _ in false }
        #expect(answer.ending == .abandoned)
        #expect(gate.awaitArrivals(1))
        gate.open()
        #expect(upstream.registry.awaitBodyBytes(blob.size))
        #expect(try puller.get(blob).isRight)
        #expect(upstream.count(blob.digest) == 1)
    }

    // RES-8, RES-9, protocol.md §10.4.14
    @Test func aSlowClientSlowsNobody() throws {
        let blob = TestContent(seed: 23, size: 64 * Self.mebibyte)
        let (upstream, daemon, puller) = try start(blob)
        let (reading, others) = (Gate(), Gate())
        let slow = TestThread {
            let client = try RawClient(daemon.address, receiveBuffer: 4096)
            return try client.request(puller.blob(blob), sink: .compare(blob)) { received in
                if !others.isOpen {
                    reading.open()
                    others.pass()
                }
                return received < 2 * Self.mebibyte
            }
        }
        #expect(reading.pass())
        let answers = try concurrently(4) { _ in try puller.get(blob) }
        #expect(answers.allSatisfy { $0.isRight })
        #expect(daemon.memory.peak < Int64(128 * Sanitizer.factor) << 20)
        others.open()
        let answer = try slow.value()
        #expect(answer.matchesSoFar == true && answer.ending == .abandoned)
        #expect(upstream.count(blob.digest) == 1)
    }

    // UP-4: all bytes are here; only the end of the chunked framing is missing.
    @Test(arguments: [true, false])
    func aBodyThatBreaksOffBehindItsLastByteIsWhole(isDescribed: Bool) throws {
        let upstream = try LoopbackRegistry()
        let image = ImageFixture(seed: 218, layerSizes: [3 * 1_048_576 + 7])
        upstream.add(image, "org/a")
        let blob = try #require(image.blobs.max { $0.size < $1.size })
        upstream.inject(
            .framing(.chunked), .truncate(at: blob.size), on: blob.digest, times: 1)
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let puller = Puller(daemon, "/v2/docker.io/org/a")
        if isDescribed {
            for document in image.documents {
                let target = puller.manifest(document.digest)
                #expect(try RawClient.request(daemon.address, target).status == 200)
            }
        }
        #expect(try puller.get(blob).isRight)
    }

    // UP-4: resumed by Range and If-Range, unseen by the client.
    @Test(arguments: [LoopbackRegistry.Persona.plain, .dockerHub, .quay], [true, false])
    func anInterruptedBodyIsResumed(persona: LoopbackRegistry.Persona, byReset: Bool) throws {
        let blob = TestContent(seed: 24, size: 5 * Self.mebibyte)
        let (upstream, daemon, puller) = try start(blob, persona)
        let cut = 3 * Self.mebibyte
        let role: WireRequest.Role = persona == .plain ? .registry : .cdn
        let fault: UpstreamFault = byReset ? .reset(at: cut) : .truncate(at: cut)
        upstream.inject(fault, on: blob.digest, role: role, times: 1)
        #expect(try puller.get(blob).isRight)
        withExtendedLifetime(daemon) {}
        let asked = upstream.requests(blob.digest, role: role)
        #expect(asked.count == 2)
        let range = try #require(asked.last?.range)
        #expect(range.first > 0 && range.first <= cut)
        #expect(asked.last?["Accept-Encoding"] == "identity")
    }

    @Test func anUpstreamThatIgnoresRangeIsReadAgain() throws {
        let blob = TestContent(seed: 25, size: 4 * Self.mebibyte)
        let (upstream, daemon, puller) = try start(blob)
        upstream.inject(.truncate(at: 2 * Self.mebibyte), on: blob.digest, times: 1)
        upstream.inject(.rangeIgnored, on: blob.digest)
        #expect(try puller.get(blob).isRight)
        withExtendedLifetime(daemon) {}
    }

    @Test func aResumeThatStartsElsewhereNeverBecomesABody() throws {
        let faults: [UpstreamFault] = [
            .rangeShifted(by: 7), .rangeShifted(by: -7), .header("ETag", "\"changed\""),
            .header("Content-Range", "bytes 0-5/9"), .header("Content-Range", "nonsense"),
            .header("Content-Range", nil),
        ]
        for (number, fault) in faults.enumerated() {
            let blob = TestContent(seed: 26 + UInt64(number) * 100, size: 2 * Self.mebibyte)
            let (upstream, daemon, puller) = try start(blob)
            upstream.inject(.truncate(at: Self.mebibyte), on: blob.digest, times: 1)
            upstream.inject(fault, on: blob.digest, after: 1)
            let answer = try puller.get(blob)
            #expect(!answer.isCompleteButWrong, "\(fault)")
            upstream.heal()
            #expect(try puller.get(blob).isRight, "\(fault)")
            withExtendedLifetime(daemon) {}
        }
    }

    @Test func rangesOfAGrowingBlobAreServedAsBytesArrive() throws {
        let blob = TestContent(seed: 27, size: 6 * Self.mebibyte)
        let (upstream, daemon, puller) = try start(blob)
        let gate = Gate()
        upstream.inject(.stall(at: 3 * Self.mebibyte, gate), on: blob.digest)
        let whole = TestThread { try puller.get(blob) }
        #expect(gate.awaitArrivals(1))
        // The range's end is withheld like the blob's own (INT-4); all before it comes at once.
        let isNearlyThere = Gate()
        let early = TestThread {
            try RawClient(daemon.address).request(
                puller.blob(blob), fields: [("Range", "bytes=1000-1001000")]
            ) { received in
                if received > 900_000 { isNearlyThere.open() }
                return true
            }
        }
        #expect(isNearlyThere.pass(within: .seconds(20)))
        let late = TestThread {
            try RawClient.request(
                daemon.address, puller.blob(blob), fields: [("Range", "bytes=4000000-")],
                sink: .compare(blob, offset: 4_000_000))
        }
        gate.open()
        #expect(try whole.value().isRight)
        let first = try early.value()
        #expect(first.status == 206)
        #expect(first["Content-Range"] == "bytes 1000-1001000/\(blob.size)")
        #expect(first.body == blob.bytes(in: 1000..<1_001_001))
        let answer = try late.value()
        #expect(answer.status == 206 && answer.isRight)
        #expect(upstream.count(blob.digest, method: "GET") == 1)
    }

    // INT-4: after a mismatch no resumed body can be put together.
    @Test func aRangeAfterAMismatchIsRefused() throws {
        let blob = TestContent(seed: 28, size: 3 * Self.mebibyte)
        let (upstream, daemon, puller) = try start(blob)
        upstream.inject(.flip(at: 5), on: blob.digest)
        let answer = try puller.get(blob)
        #expect(!answer.isCompleteButWrong && answer.ending != .complete || answer.status >= 500)
        let rest = try RawClient.request(
            daemon.address, puller.blob(blob), fields: [("Range", "bytes=2900000-")])
        #expect(rest.status == 502)
        upstream.heal()
        #expect(try puller.get(blob).isRight)
    }

    @Test(arguments: [ResponsePlan.Framing.chunked, .close])
    func anUpstreamWithoutContentLengthWorks(framing: ResponsePlan.Framing) throws {
        let blob = TestContent(seed: 29, size: 5 * Self.mebibyte)
        let (upstream, daemon, puller) = try start(blob)
        upstream.inject(.framing(framing), on: blob.digest)
        #expect(try puller.get(blob).isRight)
        upstream.stop()
        let again = try puller.get(blob)
        #expect(again.isRight && again.contentLength == blob.size)
        withExtendedLifetime(daemon) {}
    }

    // protocol.md §10.4.11
    @Test func abortedRangesLeaveNothingBehind() throws {
        let blob = TestContent(seed: 30, size: 16 * Self.mebibyte)
        let (upstream, daemon, puller) = try start(blob)
        #expect(try puller.get(blob).isRight)
        let before = daemon.descriptorCount
        for round in 0..<5 {
            _ = try concurrently(20) { number in
                let offset = Int64(number) * 100_000 + Int64(round)
                return try RawClient(daemon.address).request(
                    puller.blob(blob), fields: [("Range", "bytes=\(offset)-")],
                    sink: .compare(blob, offset: offset)
                ) { $0 < Self.mebibyte }
            }
        }
        #expect(poll { daemon.descriptorCount <= before + 4 })
        #expect(try puller.get(blob).isRight)
        #expect(upstream.count(blob.digest) == 1)
    }

    // P14: headers or an error in time, whatever the upstream does (UP-2, UP-10).
    @Test func aSilentUpstreamIsAnErrorInTime() throws {
        let blob = TestContent(seed: 31, size: 1000)
        let (upstream, daemon, puller) = try start(blob, extra: #"first_byte_timeout = "1s""#)
        let gate = Gate()
        upstream.inject(.hold(gate), on: blob.digest)
        let watch = Stopwatch()
        let answer = try puller.get(blob)
        #expect([502, 503, 504].contains(answer.status))
        #expect(answer["Retry-After"] != nil)
        #expect(watch.seconds < 15)
        gate.open()
        withExtendedLifetime(daemon) {}
    }
}
