import TestSupport
import Testing

/// kill -9 at random moments under load (P1, DUR-1, DUR-5; done when 6).
@Suite("E45 crashes", .realParts)
struct E45_CrashTests {
    // `CISTERN_TEST_LONG=1`: 200 moments; else 10.
    @Test(.wholeMachine) func killedAtAnyMomentItServesNothingWrongAndLeaksNothing() throws {
        let seed = SeededGenerator.seedOfThisRun()
        print("E45: CISTERN_TEST_SEED=\(seed)")
        var generator = SeededGenerator(seed: seed)
        let upstream = try LoopbackRegistry(.dockerHub)
        upstream.state.with { $0.rateLimit = 1_000_000 }
        let images = (0..<6).map { number in
            ImageFixture(
                seed: UInt64(4500 + number), layerSizes: [300_000, 3_000_000, 9_000_000],
                architectures: ["amd64"])
        }
        for (number, image) in images.enumerated() { upstream.add(image, "library/i\(number)") }
        let configuration = DaemonConfiguration(upstream, cache: #"max_size = "60MiB""#)
        let home = try TemporaryDirectory()
        var slowest = Duration.zero
        for round in 0..<(isLongRun ? 200 : 10) {
            let daemon = try DaemonProcess(configuration, home: home)
            slowest = max(slowest, daemon.startUp)
            let served = Monitor<Int64>(0)
            let load = (0..<6).map { number in
                TestThread {
                    wrongAnswers(daemon, "/v2/docker.io/library/i\(number)", images[number], served)
                }
            }
            // A random amount of answered bytes is the random moment.
            let moment = Int64.random(in: 0...60_000_000, using: &generator)
            let hasCome = served.wait(.seconds(20)) { $0 >= moment }
            #expect(hasCome, "round \(round): no progress\n\(daemon.log.suffix(2000))")
            daemon.kill()
            for thread in load { #expect(try thread.value() == [], "round \(round)") }
        }
        PromiseReport.add(
            "P1", "killed at random moments, slowest start after it", figure: "\(slowest)",
            bound: "2 s", held: slowest < .seconds(2))
        #expect(slowest < .seconds(2 * Sanitizer.factor))
        let last = try DaemonProcess(configuration, home: home)
        for (number, image) in images.enumerated() {
            let puller = Puller(last, "/v2/docker.io/library/i\(number)")
            #expect(try puller.pull(image) == [])
        }
        #expect(last.stop() == .exited(0))
        try expectNoLeftovers(last)
    }

    /// After a clean stop every file of the store is a whole blob, or belongs to the index.
    private func expectNoLeftovers(_ daemon: DaemonProcess) throws {
        let files = Files.walk(daemon.storePath).filter { !$0.isDirectory }
        for file in files where file.path.contains("/blobs/") {
            let hex = file.path.split(separator: "/").last.map(String.init) ?? ""
            #expect(MessageDigest.of(try Files.read(file.path)) == "sha256:\(hex)")
        }
        #expect(Files.diskUsage(daemon.storePath) <= 60 << 20)
    }

    @Test func anInterruptedFetchIsContinuedOrStartedAfresh() throws {
        // protocol.md §10.4.15
        let upstream = try LoopbackRegistry()
        let blob = TestContent(seed: 46, size: 8 << 20)
        upstream.add(blob)
        let configuration = DaemonConfiguration(upstream)
        let first = try DaemonProcess(configuration)
        let gate = Gate()
        upstream.inject(.stall(at: 4 << 20, gate), on: blob.digest, times: 1)
        let address = first.address
        let client = TestThread {
            try? RawClient.request(
                address, "/v2/docker.io/library/a/blobs/\(blob.digest)", sink: .compare(blob))
        }
        #expect(gate.awaitArrivals(1))
        first.kill()
        #expect(try client.value()?.ending != .complete)
        gate.open()
        let second = try DaemonProcess(configuration, home: first.home)
        let puller = Puller(second, "/v2/docker.io/library/a")
        #expect(try puller.get(blob).isRight)
        #expect(second.stop() == .exited(0))
        let files = Files.walk(first.storePath).filter { !$0.isDirectory }
        #expect(files.filter { $0.size == blob.size }.map(\.path).count == 1)
        #expect(files.count { $0.path.contains("/blobs/") } == 1)
    }

    // DUR-4
    @Test func aBrokenIndexIsNoReasonNotToStart() throws {
        let upstream = try LoopbackRegistry()
        let image = ImageFixture(seed: 47)
        upstream.add(image, "library/a")
        let configuration = DaemonConfiguration(upstream)
        let first = try DaemonProcess(configuration)
        #expect(try Puller(first, "/v2/docker.io/library/a").pull(image) == [])
        #expect(first.stop() == .exited(0))
        let index = Files.walk(first.storePath).filter {
            !$0.isDirectory && !$0.path.contains("/blobs/") && $0.size > 0
        }
        for file in index { try Files.write(file.path, Array("this is no database".utf8)) }
        let second = try DaemonProcess(configuration, home: first.home)
        #expect(try Puller(second, "/v2/docker.io/library/a").pull(image) == [])
    }
}

/// Pulls an image again and again until the daemon is gone; complete bodies that were wrong.
private func wrongAnswers(
    _ daemon: DaemonProcess, _ base: String, _ image: ImageFixture, _ served: Monitor<Int64>
) -> [String] {
    var wrong: [String] = []
    let puller = Puller(daemon, base)
    func get(_ target: String, _ content: TestContent) -> Bool {
        guard
            let answer = try? RawClient.request(
                daemon.address, target, sink: .compare(content), timeout: .seconds(20))
        else { return false }
        served.with { $0 += answer.bodyBytes }
        if answer.isCompleteButWrong { wrong.append("\(target): \(answer)") }
        return answer.isRight
    }
    while daemon.child.isRunning {
        guard get(puller.manifest("latest"), image.index.content) else { continue }
        for document in image.documents {
            _ = get(puller.manifest(document.digest), document.content)
        }
        for blob in image.blobs { _ = get(puller.blob(blob), blob) }
    }
    return wrong
}
