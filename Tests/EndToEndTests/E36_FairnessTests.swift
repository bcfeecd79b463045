import TestSupport
import Testing

/// A crowd from one address does not starve the others (RES-9, RES-10).
@Suite("E36 fairness", .realParts)
struct E36_FairnessTests {
    private static let mebibyte: Int64 = 1 << 20
    private let image = ImageFixture(seed: 360)

    private func get(
        _ daemon: DaemonProcess, from source: String, _ target: String, _ content: TestContent
    ) throws -> WireResponse {
        let client = try RawClient(daemon.address, from: source)
        return try client.request(target, sink: .compare(content))
    }

    @Test func aCrowdOfColdPullsWaitsInItsOwnQueue() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        let blobs = (0..<60).map { TestContent(seed: 3600 + $0, size: Self.mebibyte) }
        let gate = Gate()
        for blob in blobs {
            upstream.add(blob)
            upstream.inject(.stall(at: 1000, gate), on: blob.digest)
        }
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let crowd = blobs.map { blob in
            TestThread { try get(daemon, from: "127.0.0.1", puller.blob(blob), blob) }
        }
        #expect(gate.awaitArrivals(16))
        // One of the crowd's blobs that waits is somebody else's, too: it need not wait for him.
        let watch = Stopwatch()
        for document in image.documents {
            let target = puller.manifest(document.digest)
            #expect(try get(daemon, from: "127.0.0.2", target, document.content).isRight)
        }
        for blob in image.blobs {
            #expect(try get(daemon, from: "127.0.0.2", puller.blob(blob), blob).isRight)
        }
        #expect(watch.seconds < 5)
        #expect(gate.arrivals == 16, "no more at once for one client")
        gate.open()
        let answers = try crowd.map { try $0.value() }
        let refused = answers.filter { !$0.isRight }
        #expect(answers.count { $0.isRight } >= 48)
        #expect(refused.allSatisfy { $0.status == 503 && $0["Retry-After"] != nil })
    }

    // A fetch that waits for one client's turn goes on for another who joins it.
    @Test func whoJoinsAWaitingFetchNeedNotWaitForTheCrowd() throws {
        let upstream = try LoopbackRegistry()
        let blobs = (0..<17).map { TestContent(seed: 3700 + $0, size: Self.mebibyte) }
        let gate = Gate()
        for blob in blobs { upstream.add(blob) }
        upstream.inject(.stall(at: 1000, gate), on: "/blobs/", times: 16)
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let crowd = blobs.prefix(16).map { blob in
            TestThread { try get(daemon, from: "127.0.0.1", puller.blob(blob), blob) }
        }
        #expect(gate.awaitArrivals(16))
        let last = blobs[16]
        let late = TestThread { try get(daemon, from: "127.0.0.1", puller.blob(last), last) }
        #expect(poll { (try? daemon.metricSum("cistern_fetches_in_flight")) == 17 })
        #expect(upstream.count(last.digest) == 0)
        #expect(try get(daemon, from: "127.0.0.2", puller.blob(last), last).isRight)
        #expect(try late.value().isRight)
        gate.open()
        for each in crowd { #expect(try each.value().isRight) }
    }

    // RES-9: what is streamed through goes at its client's pace, and holds a slot meanwhile.
    @Test func slowReadersOfWhatIsNotKeptLeaveSlotsToOthers() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        let large = TestContent(seed: 361, size: 48 * Self.mebibyte)
        upstream.add(large)
        let daemon = try DaemonProcess(
            DaemonConfiguration(upstream, cache: "max_size = \"16MiB\""))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let readers = try (0..<40).map { number in
            let client = try RawClient(
                daemon.address, receiveBuffer: 8192, from: "127.0.0.\(number % 8 + 10)")
            try client.send(puller.blob(large))
            return client
        }
        #expect(poll { upstream.count(large.digest, method: "GET") >= 16 })
        for blob in image.blobs {
            let answer = try get(daemon, from: "127.0.0.2", puller.blob(blob), blob)
            #expect(answer.isRight, "\(answer)")
        }
        withExtendedLifetime(readers) {}
    }
}
