import TestSupport
import Testing

/// A fetch under way when the daemon is killed or stopped goes on after the restart, from where it
/// was (UP-4, DUR-5; protocol.md §10.4.15).
@Suite("E47 continued fetches", .realParts)
struct E47_ContinuedFetchTests {
    enum End: CaseIterable { case killed, stopped }

    private static let stallAt: Int64 = 6 << 20
    private let blob = TestContent(seed: 4700, size: 8 << 20)

    /// A daemon whose fetch of `blob` got to `stallAt`, ended; with what is on its disk then.
    private func interrupted(
        _ upstream: LoopbackRegistry, _ end: End = .killed, _ faults: [UpstreamFault] = []
    ) throws -> (home: TemporaryDirectory, configuration: DaemonConfiguration, store: String) {
        upstream.add(blob)
        var configuration = DaemonConfiguration(upstream)
        configuration.tables.append("[limits]\ndrain_timeout = \"1s\"")
        let daemon = try DaemonProcess(configuration)
        let gate = Gate()
        upstream.inject(faults + [.stall(at: Self.stallAt, gate)], on: blob.digest, times: 1)
        let (address, blob) = (daemon.address, blob)
        let client = TestThread {
            try? RawClient.request(
                address, "/v2/docker.io/library/a/blobs/\(blob.digest)", sink: .compare(blob))
        }
        #expect(gate.awaitArrivals(1))
        // All that was sent has arrived: an even number of chunks of the daemon.
        let store = daemon.storePath
        #expect(
            poll { growing(store).first.map { $0.size >= Self.stallAt - (512 << 10) } ?? false })
        switch end {
        case .killed: daemon.kill()
        case .stopped: #expect(daemon.stop() == .exited(0))
        }
        #expect(try client.value()?.ending != .complete)
        gate.open()
        upstream.heal()
        upstream.forgetRequests()
        return (daemon.home, configuration, store)
    }

    private func growing(_ store: String) -> [Files.Entry] {
        Files.walk("\(store)/blobs").filter { entry in
            !entry.isDirectory && entry.path.split(separator: "/").last?.contains(".") ?? false
        }
    }

    private func get(_ daemon: DaemonProcess) throws -> WireResponse {
        try RawClient.request(
            daemon.address, "/v2/docker.io/library/a/blobs/\(blob.digest)", sink: .compare(blob))
    }

    private func expectOneBlob(_ store: String) {
        #expect(poll { growing(store).isEmpty })
        #expect(Files.walk(store).count { $0.size == blob.size } == 1)
    }

    @Test(arguments: End.allCases, [[], [.framing(.chunked)]] as [[UpstreamFault]])
    func onlyTheRestIsFetched(end: End, faults: [UpstreamFault]) throws {
        let upstream = try LoopbackRegistry()
        let (home, configuration, store) = try interrupted(upstream, end, faults)
        upstream.inject(faults, on: blob.digest)
        let sent = upstream.registry.bodyBytesSent
        let daemon = try DaemonProcess(configuration, home: home)
        #expect(try get(daemon).isRight)
        let requests = upstream.requests(blob.digest, method: "GET")
        #expect(requests.count == 1)
        #expect((requests.first?.range?.first ?? 0) > Self.stallAt - (513 << 10), "\(requests)")
        #expect(upstream.registry.bodyBytesSent - sent < blob.size - Self.stallAt + (1 << 20))
        expectOneBlob(store)
    }

    @Test(
        arguments: [
            [.rangeIgnored], [.rangeShifted(by: 1)], [.rangeShifted(by: -1000)],
            [.status(416)], [.status(400)],
        ] as [[UpstreamFault]])
    func anUpstreamThatDoesNotContinue_doesNoHarm(faults: [UpstreamFault]) throws {
        let upstream = try LoopbackRegistry()
        let (home, configuration, store) = try interrupted(upstream)
        upstream.inject(faults, on: blob.digest, times: 1)
        let daemon = try DaemonProcess(configuration, home: home)
        #expect(try get(daemon).isRight)
        expectOneBlob(store)
    }

    @Test func anUpstreamThatIsDown_leavesItForLater() throws {
        let upstream = try LoopbackRegistry()
        let (home, configuration, store) = try interrupted(upstream)
        upstream.inject(.status(503), on: blob.digest, times: 10)
        let daemon = try DaemonProcess(configuration, home: home)
        #expect(try get(daemon).status >= 500)
        #expect(growing(store).count == 1)
        upstream.heal()
        upstream.forgetRequests()
        #expect(poll { (try? get(daemon))?.isRight ?? false })
        #expect((upstream.requests(blob.digest, method: "GET").last?.range?.first ?? 0) > 0)
        expectOneBlob(store)
    }

    // INT-1: what was shown before the digest was known is cut, and the next pull is right.
    @Test func whatRottedMeanwhile_neverCompletes() throws {
        let upstream = try LoopbackRegistry()
        let (home, configuration, store) = try interrupted(upstream)
        let file = try #require(growing(store).first)
        var bytes = try Files.read(file.path)
        bytes[1 << 20] ^= 1
        try Files.write(file.path, bytes)
        let daemon = try DaemonProcess(configuration, home: home)
        let answer = try get(daemon)
        #expect(!answer.isCompleteButWrong && !answer.isRight)
        #expect(poll { growing(store).isEmpty })
        #expect(try get(daemon).isRight)
        expectOneBlob(store)
    }

    // INT-4, UP-1: whoever joins while what is here is hashed gets the same.
    @Test func manyJoin_andOneTransferIsMade() throws {
        let upstream = try LoopbackRegistry()
        let (home, configuration, store) = try interrupted(upstream)
        let daemon = try DaemonProcess(configuration, home: home)
        let answers = try concurrently(8) { _ in try get(daemon) }
        #expect(answers.allSatisfy { $0.isRight })
        #expect(upstream.count(blob.digest, method: "GET") == 1)
        expectOneBlob(store)
    }
}
