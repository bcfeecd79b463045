import TestSupport
import Testing

/// Headers or an error in time whatever an upstream does, and no upstream's trouble is another's
/// (P14, UP-2, UP-7).
@Suite("E68 answers in time", .realParts, .serialized)
struct E68_AnswerTests {
    /// What is done to an upstream, and on which of its parts.
    private struct Case: Sendable {
        let name: String
        let persona: LoopbackRegistry.Persona
        let role: WireRequest.Role
        let fault: UpstreamFault
    }

    private static func cases(_ gate: Gate) -> [Case] {
        let faults: [(String, UpstreamFault)] = [
            ("silent", .hold(gate)), ("dropped", .dropped), ("endless", .endlessHeaders),
            ("stalls", .stall(at: 0, gate)), ("drips", .drip(bytesPerSecond: 1)),
            ("reset", .reset(at: 0)), ("short", .truncate(at: 0)), ("500", .status(500)),
            ("503", .status(503)), ("429", .status(429)), ("portal", .captivePortal),
            ("loop", .redirect("/v2/library/a/blobs/x")),
        ]
        let parts: [(LoopbackRegistry.Persona, WireRequest.Role)] = [
            (.plain, .registry), (.dockerHub, .token), (.dockerHub, .cdn),
        ]
        return parts.flatMap { persona, role in
            faults.map { Case(name: "\($0.0) \(role)", persona: persona, role: role, fault: $0.1) }
        }
    }

    // P14
    @Test func everyFaultIsAnsweredWithin15Seconds() throws {
        let gate = Gate()
        let image = ImageFixture(seed: 68)
        let cases = Self.cases(gate)
        let upstreams = try cases.map { each in
            let upstream = try LoopbackRegistry(each.persona)
            upstream.add(image, "library/a")
            upstream.inject(each.fault, on: "", method: nil, role: each.role)
            return upstream
        }
        let holes = try BlackHole.Manner.allCases.map { try BlackHole($0) }
        var tables = upstreams.enumerated().map { number, upstream in
            DaemonConfiguration.proxy("c\(number).example", upstream)
        }
        for (number, hole) in holes.enumerated() {
            tables.append(
                """
                [repositories."hole\(number).example"]
                type = "proxy"
                upstream = "\(hole.url)"
                """)
        }
        let daemon = try DaemonProcess(DaemonConfiguration(tables))
        let names =
            cases.indices.map { "c\($0).example" } + holes.indices.map { "hole\($0).example" }
        let blob = image.platforms[0].layers[1].digest
        let targets = names.flatMap { name in
            [
                ("GET", "/v2/\(name)/library/a/manifests/latest"),
                ("HEAD", "/v2/\(name)/library/a/manifests/\(image.index.digest)"),
                ("GET", "/v2/\(name)/library/a/blobs/\(blob)"),
                ("HEAD", "/v2/\(name)/library/a/blobs/\(blob)"),
                ("GET", "/v2/\(name)/library/a/tags/list"),
            ]
        }
        let address = daemon.address
        let times = try concurrently(targets.count) { number in
            let (method, target) = targets[number]
            let client = try RawClient(address)
            client.socket.setTimeout(.seconds(20))
            let watch = Stopwatch()
            try client.send(target, method: method)
            let head = try client.head()
            return (watch.elapsed, head.status)
        }
        for (target, answer) in zip(targets, times) {
            #expect(answer.0 <= .seconds(15), "\(target)")
            #expect(
                answer.1 >= 200 && ![401, 408, 429].contains(answer.1), "\(target): \(answer.1)")
        }
        let worst = times.map(\.0).max() ?? .zero
        PromiseReport.add(
            "P14", "\(targets.count) requests under every upstream fault, slowest",
            figure: "\(worst)", bound: "15 s", held: worst <= .seconds(15))
        gate.open()
        withExtendedLifetime((upstreams, holes)) {}
    }

    // UP-7
    @Test(arguments: BlackHole.Manner.allCases)
    func aBlackHoledUpstreamSlowsNobodyElse(manner: BlackHole.Manner) throws {
        let upstream = try LoopbackRegistry()
        let image = ImageFixture(seed: 681)
        upstream.add(image, "library/a")
        let hole = try BlackHole(manner)
        let tables = [
            DaemonConfiguration.proxy("live.example", upstream, "tag_ttl = \"0s\""),
            """
            [repositories."dead.example"]
            type = "proxy"
            upstream = "\(hole.url)"
            """,
        ]
        let daemon = try DaemonProcess(DaemonConfiguration(tables))
        let calm = try DaemonProcess(DaemonConfiguration(tables))
        for each in [daemon, calm] {
            #expect(try Puller(each, "/v2/live.example/library/a").pull(image) == [])
        }
        // More at once than the dead upstream has slots and queue, without a pause.
        let isOver = Monitor(false)
        let address = daemon.address
        let crowd = (0..<64).map { number in
            TestThread {
                var count = 0
                while !isOver.read({ $0 }) {
                    count += 1
                    let target = "/v2/dead.example/library/a/manifests/t\(number)-\(count)"
                    let answer = try RawClient.request(address, target)
                    // Refusals come at once; a client waits before it comes again.
                    if answer.status == 503 { isOver.wait(.milliseconds(200)) { $0 } }
                }
                return count
            }
        }
        let puller = Puller(daemon, "/v2/live.example/library/a")
        let digest = image.platforms[0].layers[0]
        func times(_ address: String, _ target: String) throws -> Duration {
            let watch = Stopwatch()
            let answer = try RawClient.request(address, target)
            #expect(answer.status == 200)
            return watch.elapsed
        }
        var (hits, calmHits, asked, calmAsked): ([Duration], [Duration], [Duration], [Duration]) =
            ([], [], [], [])
        for _ in 0..<(isLongRun ? 2000 : 150) {
            hits.append(try times(daemon.address, puller.blob(digest)))
            calmHits.append(try times(calm.address, puller.blob(digest)))
            asked.append(try times(daemon.address, puller.manifest("latest")))
            calmAsked.append(try times(calm.address, puller.manifest("latest")))
        }
        isOver.with { $0 = true }
        for thread in crowd { _ = try thread.value(within: .seconds(60)) }
        report("hits", hits, calmHits, manner)
        report("another upstream", asked, calmAsked, manner)
        withExtendedLifetime(hole) {}
    }

    private func report(
        _ what: String, _ times: [Duration], _ calm: [Duration], _ manner: BlackHole.Manner
    ) {
        let (p99, normal) = (
            times.sorted()[times.count * 99 / 100], calm.sorted()[calm.count * 99 / 100]
        )
        print("UP-7: \(what) beside a \(manner) upstream: p99 \(p99), otherwise \(normal)")
        // Far from any time limit of the dead one, on the most loaded machine.
        #expect(p99 < .seconds(Sanitizer.isOn ? 4 : 1), "\(what): \(p99) instead of \(normal)")
    }

    // UP-7: a group with a dead member answers as soon as that is known.
    @Test func aDeadMemberHoldsItsGroupUpOnlyOnce() throws {
        let upstream = try LoopbackRegistry()
        let image = ImageFixture(seed: 682)
        upstream.add(image, "library/a")
        let hole = try BlackHole(.dropping)
        let tables = [
            """
            [repositories.dead]
            type = "proxy"
            registry = "dead.example"
            upstream = "\(hole.url)"
            """,
            DaemonConfiguration.proxy("live.example", upstream, name: "live"),
            """
            [repositories.all]
            type = "group"
            members = ["dead", "live"]
            """,
        ]
        let daemon = try DaemonProcess(DaemonConfiguration(tables))
        let address = daemon.address
        _ = try concurrently(8) {
            try RawClient.request(address, "/v2/all/library/none/manifests/n\($0)").status
        }
        let watch = Stopwatch()
        #expect(try Puller(daemon, "/v2/all/library/a").pull(image) == [])
        #expect(watch.elapsed < .seconds(10))
        withExtendedLifetime(hole) {}
    }
}
