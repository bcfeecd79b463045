import Glibc
import TestSupport
import Testing

/// Several upstreams of one proxy, and none (UP-8, CRED-1, CRED-4).
@Suite("E67 several upstreams, and none", .realParts)
struct E67_UpstreamsTests {
    private let image = ImageFixture(seed: 67)

    private func table(_ upstreams: [String], _ extra: String = "") -> String {
        """
        [repositories."docker.io"]
        type = "proxy"
        upstreams = [\(upstreams.joined(separator: ", "))]
        allow_networks = ["127.0.0.0/8"]
        \(extra)
        """
    }

    private func quoted(_ upstream: LoopbackRegistry) -> String { "\"\(upstream.url)\"" }

    private func start(
        _ first: LoopbackRegistry, _ second: LoopbackRegistry, _ extra: String = ""
    ) throws -> (DaemonProcess, Puller) {
        let daemon = try DaemonProcess(
            DaemonConfiguration([table([quoted(first), quoted(second)], extra)]))
        return (daemon, Puller(daemon, "/v2/docker.io/library/a"))
    }

    @Test func theNextIsAskedWhateverIsWrongWithTheFirst() throws {
        let faults: [UpstreamFault?] = [
            nil, .status(404), .status(401), .status(403), .status(429), .status(500),
            .status(503), .dropped, .endlessHeaders, .captivePortal,
        ]
        for fault in faults {
            let (parent, origin) = (try LoopbackRegistry(), try LoopbackRegistry())
            origin.add(image, "library/a")
            if let fault {
                parent.add(image, "library/a")
                parent.inject(fault, on: "/v2/", method: nil)
            } else {
                parent.stop()
            }
            let (daemon, puller) = try start(parent, origin)
            let watch = Stopwatch()
            #expect(try puller.pull(image) == [], "\(String(describing: fault))")
            #expect(watch.elapsed < .seconds(40))
            withExtendedLifetime(daemon) {}
        }
    }

    @Test func theFirstIsAskedAloneWhileItIsWell() throws {
        let (parent, origin) = (try LoopbackRegistry(), try LoopbackRegistry())
        for each in [parent, origin] { each.add(image, "library/a") }
        let (daemon, puller) = try start(parent, origin)
        #expect(try puller.pull(image) == [])
        #expect(origin.count() == 0)
        withExtendedLifetime(daemon) {}
    }

    // UP-8: a black-holed parent costs nothing once its breaker is open.
    @Test func aBlackHoledParentIsSoonLeftOut() throws {
        let origin = try LoopbackRegistry()
        origin.add(image, "library/a")
        let hole = try BlackHole(.dropping)
        let daemon = try DaemonProcess(
            DaemonConfiguration([table(["\"\(hole.url)\"", quoted(origin)])]))
        let address = daemon.address
        let target = "/v2/docker.io/library/a/manifests/none"
        let first = try concurrently(8) {
            try RawClient.request(address, "\(target)-\($0)").status
        }
        #expect(first.allSatisfy { $0 == 404 })
        let isOpen = poll(within: .seconds(20)) {
            (try? daemon.metricSum(
                "cistern_upstream_breaker_state", "upstream=\"\(hole.url)\"")) == 2
        }
        #expect(isOpen)
        let watch = Stopwatch()
        #expect(try Puller(daemon, "/v2/docker.io/library/a").pull(image) == [])
        #expect(watch.elapsed < .seconds(10))
    }

    // UP-4: a parent that always breaks off is continued by the registry itself.
    @Test func anInterruptedBlobGoesOnAtTheNext() throws {
        let (parent, origin) = (try LoopbackRegistry(), try LoopbackRegistry())
        let blob = TestContent(seed: 671, size: 3 << 20)
        for each in [parent, origin] { each.add(blob) }
        parent.inject(.truncate(at: 1 << 20), on: blob.digest)
        let (daemon, puller) = try start(parent, origin)
        #expect(try puller.get(blob).isRight)
        let asked = origin.requests(blob.digest, method: "GET").compactMap { $0["Range"] }
        #expect(asked == ["bytes=\(1 << 20)-"])
        #expect(origin.requests.allSatisfy { $0["If-Range"] == nil })
        withExtendedLifetime(daemon) {}
    }

    // INT-2, INT-12: a parent with wrong bytes does not hide the right ones.
    @Test func wrongBytesOfTheFirstAreAskedOfTheNext() throws {
        let (parent, origin) = (try LoopbackRegistry(), try LoopbackRegistry())
        let small = TestContent(seed: 672, size: 50_000)
        for each in [parent, origin] {
            each.add(image, "library/a")
            each.add(small)
        }
        parent.inject(.flip(at: 10), on: small.digest)
        parent.inject(.flip(at: 10), on: "/manifests/\(image.index.digest)")
        let (daemon, puller) = try start(parent, origin)
        #expect(try puller.get(small).isRight)
        #expect(
            try RawClient.request(daemon.address, puller.manifest(image.index.digest)).status == 200
        )
    }

    @Test func withAllGoneWhatIsKnownIsStaleAndTheRestIsTrouble() throws {
        let (parent, origin) = (try LoopbackRegistry(), try LoopbackRegistry())
        origin.add(image, "library/a")
        let (daemon, puller) = try start(parent, origin, "tag_ttl = \"1s\"")
        #expect(try puller.pull(image) == [])
        // The parent goes on saying that it has nothing: that is not the last word.
        origin.stop()
        let isStale = try poll(within: .seconds(20)) {
            let answer = try RawClient.request(daemon.address, puller.manifest("latest"))
            #expect(answer.status == 200, "\(answer)")
            return answer["Cache-Status"]?.contains("stale") == true
        }
        #expect(isStale)
        let unknown = try RawClient.request(daemon.address, puller.manifest("unknown"))
        #expect([502, 503, 504].contains(unknown.status), "\(unknown)")
        #expect(try puller.pull(image) == [])
    }

    // CRED-1, CRED-4: a login never reaches another upstream, nor another one's realm.
    @Test func eachLoginStaysWithItsUpstream() throws {
        let (parent, origin) = (try LoopbackRegistry(.basic), try LoopbackRegistry(.dockerHub))
        let canaries = ["parent-c4n4ry-secret", "origin-c4n4ry-secret"]
        parent.state.with { $0.credentials = ("ann", canaries[0]) }
        origin.state.with { $0.credentials = ("bob", canaries[1]) }
        origin.add(image, "library/a")
        let home = try TemporaryDirectory()
        let entries = try zip(zip([parent, origin], ["ann", "bob"]), canaries).map { each, secret in
            let file = try home.write("secret-\(each.1)", secret, mode: 0o600)
            let realms = each.0.persona == .dockerHub ? ", realms = [\"\(each.0.realm)\"]" : ""
            return "{ url = \"\(each.0.url)\", username = \"\(each.1)\", "
                + "password = { file = \"\(file)\" }\(realms) }"
        }
        let daemon = try DaemonProcess(
            DaemonConfiguration([table(entries, "share_private = true")]), home: home)
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        #expect(try puller.pull(image) == [])
        // The parent now sends its clients to the other one's realm.
        parent.inject(
            .challenge(#"Bearer realm="\#(origin.realm)",service="registry.docker.io",scope="a""#),
            on: "/v2/", method: nil)
        for number in 0..<3 {
            _ = try RawClient.request(daemon.address, puller.manifest("unknown-\(number)"))
        }
        let basic = [
            "Basic " + base64("ann:\(canaries[0])"), "Basic " + base64("bob:\(canaries[1])"),
        ]
        #expect(parent.requests.contains { $0["Authorization"] == basic[0] })
        #expect(origin.requests("", role: .token).contains { $0["Authorization"] == basic[1] })
        #expect(parent.requests.allSatisfy { $0["Authorization"] != basic[1] })
        #expect(origin.requests.allSatisfy { $0["Authorization"] != basic[0] })
        #expect(parent.evil.connectionCount == 0 && origin.evil.connectionCount == 0)
        #expect(daemon.stop() == .exited(0))
        for canary in canaries { #expect(!daemon.log.contains(canary)) }
    }

    // MARK: - Offline

    @Test func offlineServesEverythingStoredAndSendsNothing() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        let extra = "tag_ttl = \"1s\"\nstale = \"0s\""
        let home = try TemporaryDirectory()
        let first = try DaemonProcess(DaemonConfiguration(upstream, extra: extra), home: home)
        #expect(try Puller(first, "/v2/docker.io/library/a").pull(image) == [])
        #expect(first.stop() == .exited(0))
        let (asked, connections) = (upstream.count(), upstream.registry.connectionCount)

        let daemon = try DaemonProcess(
            DaemonConfiguration(upstream, extra: extra + "\noffline = true"), home: home)
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let isOld = try poll(within: .seconds(20)) {
            let answer = try RawClient.request(daemon.address, puller.manifest("latest"))
            #expect(answer.status == 200, "\(answer)")
            return answer["Cache-Status"]?.contains("offline") == true
                && answer["Warning"]?.contains("112") == true
        }
        #expect(isOld)
        #expect(try puller.pull(image) == [])
        for reference in ["unknown", "sha256:" + String(repeating: "0", count: 64)] {
            let answer = try RawClient.request(daemon.address, puller.manifest(reference))
            #expect(answer.status == 404)
            #expect(answer.text.contains("MANIFEST_UNKNOWN") && answer.text.contains("offline"))
        }
        let blob = try RawClient.request(
            daemon.address, puller.blob("sha256:" + String(repeating: "0", count: 64)))
        #expect(blob.status == 404 && blob.text.contains("BLOB_UNKNOWN"))
        let tags = try RawClient.request(daemon.address, "/v2/docker.io/library/a/tags/list")
        #expect(tags.status == 200 && tags.text.contains("latest"))
        #expect(upstream.count() == asked)
        #expect(upstream.registry.connectionCount == connections)
    }

    // Also what began before the reload ends; it goes on when the proxy is online again.
    @Test func aReloadThatTurnsItOffline_endsWhatRuns() throws {
        let upstream = try LoopbackRegistry()
        let blob = TestContent(seed: 6700, size: 8 << 20)
        upstream.add(blob)
        let gate = Gate()
        defer { gate.open() }
        upstream.inject(.stall(at: 6 << 20, gate), on: blob.digest, times: 1)
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        func reload(_ extra: String) throws {
            let text = DaemonConfiguration(upstream, extra: extra).text(store: daemon.storePath)
            let reloads = daemon.log.ranges(of: "msg=reloaded").count
            try Files.write(daemon.configurationFile, Array(text.utf8))
            daemon.child.signal(SIGHUP)
            #expect(poll { daemon.log.ranges(of: "msg=reloaded").count > reloads })
        }
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let client = TestThread { try? puller.get(blob) }
        #expect(gate.awaitArrivals(1))
        // All that was sent has arrived: an even number of chunks of the daemon.
        #expect(poll { Files.walk(daemon.storePath).contains { $0.size > 5 << 20 } })
        // What a reload replaced counts as well as what it replaces.
        try reload("tag_ttl = \"1s\"")
        let asked = upstream.count()
        try reload("offline = true")
        let answer = try #require(try client.value())
        #expect(!answer.isRight && !answer.isCompleteButWrong && answer.ending == .short)
        #expect(try puller.get(blob).status == 404)
        #expect(upstream.count() == asked)
        #expect(poll { (try? daemon.metricSum("cistern_fetches_in_flight")) == 0 })
        upstream.heal()
        upstream.forgetRequests()
        try reload("")
        #expect(try puller.get(blob).isRight)
        let requests = upstream.requests(blob.digest, method: "GET")
        #expect(requests.count == 1 && requests.first?.range?.first ?? 0 > 5 << 20)
        let files = Files.walk(daemon.storePath)
        #expect(files.count { $0.size > 5 << 20 } == 1, "\(files)")
    }

    // No packet, no look-up: no system call that could send one is made on an internet socket.
    @Test func offlineMakesNoConnectionAndAsksForNoAddress() throws {
        let home = try TemporaryDirectory()
        let trace = home.file("trace")
        let table = """
            [repositories."quay.io"]
            type = "proxy"
            offline = true
            """
        let daemon = try DaemonProcess(
            DaemonConfiguration([table]), home: home,
            wrapper: [
                try requireTool("strace"), "-f", "-qq", "-o", trace, "-e",
                "trace=connect,sendto,sendmmsg",
            ])
        for path in [
            "manifests/latest", "tags/list", "blobs/sha256:" + String(repeating: "0", count: 64),
        ] {
            #expect(try RawClient.request(daemon.address, "/v2/quay.io/a/b/\(path)").status == 404)
        }
        daemon.stop()
        let calls = try Files.text(trace).split(separator: "\n")
        #expect(
            calls.allSatisfy { !$0.contains("AF_INET") && !$0.contains("htons(53)") }, "\(calls)")
    }

    @Test func aGroupWalksOnFromAnOfflineMember() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        let tables = [
            """
            [repositories.frozen]
            type = "proxy"
            registry = "frozen.example"
            offline = true
            """,
            DaemonConfiguration.proxy("live.example", upstream, name: "live"),
            """
            [repositories.all]
            type = "group"
            members = ["frozen", "live"]
            """,
        ]
        let daemon = try DaemonProcess(DaemonConfiguration(tables))
        #expect(try Puller(daemon, "/v2/all/library/a").pull(image) == [])
    }
}
