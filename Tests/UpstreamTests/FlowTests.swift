import Glibc
import OCI
import Reactor
import Synchronization
import Testing

@testable import Upstream

@Suite struct FlowTests {
    private static let block = [UInt8]((0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 / 7) })

    /// The block and itself again, so that any chunk of the stream is in one piece.
    private static let twice = block + block

    private static func large(_ megabytes: Int) -> [Step] {
        [.head(200, ["Content-Length": "\(megabytes << 20)"])]
            + [Step](repeating: .sendBytes(block), count: megabytes)
    }

    @Test func aLargeBodyArrivesWholeInFullChunks() async throws {
        try await withServer(
            { _ in Self.large(32) },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                let response = try await harness.send(UpstreamRequest(.get, .layer("a")))
                var offset = 0
                while let chunk = try await response.body.next() {
                    #expect(chunk.count <= Chunk.standardCapacity)
                    let isRight = chunk.withBytes { bytes in
                        Self.twice[(offset % Self.block.count)...].withUnsafeBytes { expected in
                            guard let left = expected.baseAddress, let right = bytes.baseAddress
                            else {
                                return false
                            }
                            return memcmp(left, right, bytes.count) == 0
                        }
                    }
                    #expect(isRight)
                    offset += chunk.count
                }
                #expect(offset == 32 << 20)
            })
    }

    @Test func chunksEndWhereTheyWouldIfNoneWereTakenEarly() {
        var buffer = BodyBuffer()
        let piece = [UInt8](repeating: 7, count: 16 << 10)
        var offset = 0
        for round in 1...40 {
            for _ in 0..<(round % 7 + 1) {
                let isTaken = piece.withUnsafeBytes { buffer.append($0, expected: nil) }
                #expect(isTaken)
            }
            while let chunk = buffer.take() {
                #expect(offset % Chunk.standardCapacity + chunk.count <= Chunk.standardCapacity)
                offset += chunk.count
            }
        }
        #expect(offset > 2 << 20)
    }

    @Test func aConsumerThatDoesNotAskPausesTheTransfer() async throws {  // RES-8
        try await withServer(
            { _ in Self.large(16) },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                let response = try await harness.send(UpstreamRequest(.get, .layer("a")))
                // The loop turns while nobody asks; what is held stays within the bounds.
                for _ in 0..<500 { await harness.turn() }
                #expect(harness.received <= Transfer.unaskedBytesMax)
                let first = try await response.body.next()?.count ?? 0
                #expect(await eventually { harness.received > BodyBuffer.bytesMax / 2 })
                for _ in 0..<500 { await harness.turn() }
                #expect(harness.received <= first + BodyBuffer.bytesMax)
                let rest = try await response.body.collect(limit: 16 << 20).count
                #expect(first + rest == 16 << 20)
                #expect(harness.received == 16 << 20)
            })
    }

    @Test func aBodyNobodyWantsIsCut() async throws {
        try await withServer(
            { request in
                request.target.contains("/a/") ? Self.large(64) : Step.response(200, "x")
            },
            { server in
                let harness = try Harness(server.url) { $0.limits.transfersMax = 1 }
                defer { harness.stop() }
                // Each one takes the only slot, so each must have been given back.
                for round in 0..<6 {
                    let response = try await harness.send(UpstreamRequest(.get, .layer("a")))
                    if round % 2 == 0 { _ = try await response.body.next() }
                    if round % 3 == 0 {
                        response.body.cancel()
                        await #expect(throws: UpstreamError.cancelled) {
                            while try await response.body.next() != nil {}
                        }
                    }
                }
                #expect(try await harness.get(.layer("b")).0 == 200)
            })
    }

    @Test func aCancelledTaskLeaves() async throws {
        try await withServer(
            { _ in [.silence] },
            { server in
                let harness = try Harness(server.url) {
                    $0.limits.transfersMax = 1
                    $0.timeouts.wait(for: Self.ages)
                }
                defer { harness.stop() }
                let waiting = Task { await harness.failure(of: .layer("a")) }
                while server.requests.isEmpty { await Task.yield() }
                let queued = Task { await harness.failure(of: .layer("b")) }
                queued.cancel()
                #expect(await queued.value == .cancelled)
                waiting.cancel()
                #expect(await waiting.value == .cancelled)
            })
    }

    @Test func aClientThatIsGoneLeavesNothingOpen() async throws {
        let loop = try EventLoop.start(name: "upstream")
        defer { loop.stop() }
        try await withServer(
            { request in
                request.target.contains("/a/") ? Self.large(64) : Step.response(200, "x")
            },
            { server in
                let settings = UpstreamSettings(
                    registry: "x", base: try #require(RemoteURL(parsing: server.url)))
                for _ in 0..<5 {
                    let upstream = try CurlUpstream(settings, loop: loop)
                    _ = try await upstream.send(UpstreamRequest(.get, .layer("b")))
                    _ = try await upstream.send(UpstreamRequest(.get, .layer("a"))).body.next()
                }
                // The clean-up runs on the loop, after the last reference is gone.
                #expect(await eventually { server.openConnections == 0 })
                #expect(server.connections > 0)
            })
    }

    @Test func aHundredAtOnceShareTheSlots() async throws {
        let running = Mutex((now: 0, most: 0))
        try await withServer(
            { request in
                running.withLock {
                    $0.now += 1
                    $0.most = max($0.most, $0.now)
                }
                defer { running.withLock { $0.now -= 1 } }
                return Step.response(200, String(repeating: "x", count: 10_000))
            },
            { server in
                let harness = try Harness(server.url) { $0.limits.transfersMax = 8 }
                defer { harness.stop() }
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for index in 0..<100 {
                        group.addTask { try await harness.get(.tag("a", "t\(index)")).1.count }
                    }
                    for try await count in group { #expect(count == 10_000) }
                }
                #expect(server.requests.count == 100)
                #expect(server.connections <= 8 + 1)
                #expect(running.withLock { $0.most } <= 8)
            })
    }

    @Test func theQueueIsBoundedInLength() async throws {  // requirements part 7
        try await withServer(
            { _ in [.silence] },
            { server in
                let harness = try Harness(server.url) {
                    $0.limits.transfersMax = 1
                    $0.limits.queueMax = 2
                    $0.timeouts.wait(for: Self.ages)
                }
                defer { harness.stop() }
                let running = Task { await harness.failure(of: .layer("a")) }
                while server.requests.isEmpty { await Task.yield() }
                await withTaskGroup(of: UpstreamError?.self) { group in
                    for _ in 0..<5 { group.addTask { await harness.failure(of: .layer("b")) } }
                    for _ in 0..<3 { #expect(await group.next() == .overloaded) }
                    group.cancelAll()
                    for await error in group { #expect(error == .cancelled) }
                }
                running.cancel()
                _ = await running.value
            })
    }

    @Test func theQueueIsBoundedInTime() async throws {  // requirements part 7
        try await withServer(
            { _ in [.silence] },
            { server in
                let harness = try Harness(server.url) {
                    $0.limits.transfersMax = 1
                    $0.timeouts.wait(for: Self.ages)
                    $0.timeouts.queue = .milliseconds(100)
                }
                defer { harness.stop() }
                let running = Task { await harness.failure(of: .layer("a")) }
                while server.requests.isEmpty { await Task.yield() }
                #expect(await harness.failure(of: .layer("b")) == .timeout(.queue))
                running.cancel()
                _ = await running.value
            })
    }

    /// Longer than any machine is busy: where time must not decide.
    private static let ages = Duration.seconds(600)

    @Test func aLargeTransferLeavesTheLoopToOthers() async throws {
        try await withServer(
            { request in
                request.target.contains("/a/") ? Self.large(64) : Step.response(200, "x")
            },
            { server in
                let harness = try Harness(server.url)
                defer { harness.stop() }
                async let large = harness.get(.layer("a")).1.count
                for _ in 0..<20 { #expect(try await harness.get(.layer("b")).0 == 200) }
                #expect(try await large == 64 << 20)
            })
    }
}

extension UpstreamSettings.Timeouts {
    /// Lets nothing end because of time.
    fileprivate mutating func wait(for ages: Duration) {
        (firstByte, headers, queue, stall) = (ages, ages, ages, ages)
    }
}
