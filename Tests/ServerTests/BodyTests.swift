import HTTP
import Linux
import Reactor
import Server
import Testing

/// Bodies of every kind, whole and cut.
@Suite struct BodyTests {
    private struct Failure: Error {}

    /// Chunks from a script; a nil in it is a failure.
    private final class ScriptedStream: BodyStream {
        let chunks: Recorder<[UInt8]?>
        private let position = Recorder<Int>()
        let cancelled = Recorder<Bool>()

        init(_ script: [[UInt8]?]) {
            chunks = Recorder()
            for chunk in script { chunks.add(chunk) }
        }

        func next() async throws -> Chunk? {
            let index = position.all.count
            position.add(index)
            guard index < chunks.all.count else { return nil }
            guard let bytes = chunks.all[index] else { throw Failure() }
            return Chunk(bytes)
        }

        func cancel() { cancelled.add(true) }
    }

    /// A server whose every answer has `body`, and the outcomes of its answers.
    private func serving(
        _ body: Body, status: Int = 200, limits: ServerLimits = ServerLimits(),
        workers: WorkerPool? = nil, loops: Int = 1,
        _ test: (TestServer, Recorder<ResponseOutcome>) async throws -> Void
    ) async throws {
        let outcomes = Recorder<ResponseOutcome>()
        try await TestServer.run(
            limits: limits, loops: loops, workers: workers,
            handler: { _ in
                Response(
                    status: status, fields: ["Content-Type": "application/octet-stream"],
                    body: body, finished: { outcomes.add($0) })
            }
        ) { try await test($0, outcomes) }
    }

    // MARK: - Complete files

    @Test(arguments: [0, 1, 1024, 16 << 10, (16 << 10) + 1, 1 << 20, 10 << 20])
    func aCompleteFileArrivesByteForByte(_ size: Int) async throws {
        let bytes = pattern(size)
        let file = try completeFile(bytes)
        let workers = try WorkerPool(threads: 1, name: "test")
        try await serving(.file(file, nil), workers: workers) { test, outcomes in
            let client = try test.client()
            for _ in 0..<2 {
                client.get("/")
                let answer = try #require(client.readAnswer())
                #expect(answer.field("Content-Length") == String(size))
                #expect(answer.body == bytes)
            }
            // The second answer was read whole, so the first is accounted for.
            let outcome = try #require(outcomes.all.first)
            #expect(outcome.bytesSent == Int64(size))
            #expect(outcome.isComplete)
            #expect(outcome.timeToFirstByte != nil)
        }
        #expect(file.readers == 0)
    }

    @Test(arguments: [0..<1, 5..<10, 0..<(1 << 20), ((1 << 20) - 1)..<(1 << 20), 100..<200_000])
    func aRangeOfAFileIsSent(_ range: Range<Int64>) async throws {
        let bytes = pattern(1 << 20)
        try await serving(.file(try completeFile(bytes), range), status: 206) { test, _ in
            let client = try test.client()
            client.get("/")
            let answer = try #require(client.readAnswer())
            #expect(answer.status == 206)
            #expect(answer.body.elementsEqual(bytes[Int(range.lowerBound)..<Int(range.upperBound)]))
        }
    }

    @Test func severalRangesMakeAMultipartBody() async throws {
        let bytes = pattern(100_000)
        let ranges: [Range<Int64>] = [0..<10, 500..<70_000, 99_999..<100_000]
        let body = Body.multipart(
            try completeFile(bytes), ranges, total: 100_000, contentType: "text/x-part")
        try await serving(body, status: 206) { test, outcomes in
            let client = try test.client()
            client.get("/")
            let answer = try #require(client.readAnswer())
            let type = try #require(answer.field("Content-Type"))
            let boundary = try #require(type.split(separator: "boundary=").last)
            #expect(type.hasPrefix("multipart/byteranges; boundary="))
            var expected: [UInt8] = []
            for range in ranges {
                let separator = expected.isEmpty ? "" : "\r\n"
                expected += Array(
                    """
                    \(separator)--\(boundary)\r\nContent-Type: text/x-part\r
                    Content-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/100000\r\n\r\n
                    """.utf8)
                expected += bytes[Int(range.lowerBound)..<Int(range.upperBound)]
            }
            expected += Array("\r\n--\(boundary)--\r\n".utf8)
            #expect(answer.body == expected)
            // Nothing is left over: the connection goes on.
            client.get("/")
            #expect(client.readAnswer()?.isWhole == true)
            #expect(outcomes.all.first?.bytesSent == Int64(69_511))
        }
    }

    @Test func headOfAFileSendsItsLengthOnly() async throws {
        try await serving(.file(try completeFile(pattern(5000)), nil)) { test, outcomes in
            let client = try test.client()
            for _ in 0..<2 {
                client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(client.readAnswer(toHead: true)?.field("Content-Length") == "5000")
            }
            #expect(outcomes.all.first?.bytesSent == 0)
        }
    }

    @Test func aLengthWithoutBytesIsForHead() async throws {
        try await serving(.headOnly(length: 12345)) { test, _ in
            let client = try test.client()
            client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.readAnswer(toHead: true)?.field("Content-Length") == "12345")
        }
    }

    @Test(arguments: [204, 304])
    func someStatusesHaveNoBody(_ status: Int) async throws {
        try await serving(.bytes([1, 2, 3]), status: status) { test, _ in
            let client = try test.client()
            for _ in 0..<2 {
                client.get("/")
                let answer = try #require(client.readAnswer())
                #expect(answer.status == status)
                #expect(answer.field("Content-Length") == nil)
            }
        }
    }

    @Test func aLargeBodyInMemoryIsSent() async throws {
        let bytes = pattern(4 << 20)
        try await serving(.bytes(bytes)) { test, _ in
            let client = try test.client()
            client.get("/")
            #expect(client.readAnswer()?.body == bytes)
        }
    }

    @Test func aSlowReaderGetsTheRightBytes() async throws {
        let bytes = pattern(2 << 20)
        try await serving(.file(try completeFile(bytes), nil)) { test, _ in
            let slow = try test.client(receiveBuffer: 4096)
            let fast = try test.client()
            slow.get("/")
            #expect(slow.waitForByte())
            // The slow one has filled its buffers; others are served meanwhile (RES-9).
            fast.get("/")
            #expect(fast.readAnswer()?.body == bytes)
            #expect(slow.readAnswer()?.body == bytes)
        }
    }

    @Test func aFileShorterThanPromisedIsCutInOrder() async throws {
        let descriptor = try temporaryFile()
        let bytes = pattern(300_000)
        try bytes.withUnsafeBytes { try System.pwriteAll(descriptor.raw, $0, at: 0) }
        let file = GrowingFile(complete: descriptor, size: 400_000)
        try await serving(.file(file, nil)) { test, outcomes in
            let client = try test.client()
            client.get("/")
            let answer = try #require(client.readAnswer())
            #expect(!answer.isWhole)
            #expect(answer.body == bytes)
            #expect(client.end == .fin)
            #expect(outcomes.all.map(\.cut) == [.source])
        }
        #expect(file.readers == 0)
    }

    // MARK: - Growing files

    @Test func aGrowingFileIsSentAsItGrows() async throws {
        let bytes = pattern(1 << 20)
        let file = try growingFile(total: 1 << 20)
        try await serving(.file(file, nil)) { test, _ in
            let client = try test.client()
            client.get("/")
            #expect(client.waitForByte())
            for start in stride(from: 0, to: bytes.count, by: 200_000) {
                try file.grow(by: Array(bytes[start..<min(bytes.count, start + 200_000)]))
            }
            file.complete()
            #expect(client.readAnswer()?.body == bytes)
        }
        #expect(file.readers == 0)
    }

    @Test func aBodyWhoseDigestFailsIsCutByFINBeforeItsEnd() async throws {
        // INT-1, clients.md 2
        let bytes = pattern(1 << 20)
        let file = try growingFile(total: 1 << 20)
        try await serving(.file(file, nil)) { test, outcomes in
            let client = try test.client()
            // Unread input at close would turn the end into a reset.
            client.get("/")
            client.get("/pipelined")
            #expect(client.waitForByte())
            try file.grow(by: bytes)
            // Whole, but for the end that waits for the digest.
            var answer: TestClient.Answer?
            file.failSoon(after: test)
            answer = client.readAnswer()
            let body = try #require(answer?.body)
            #expect(body.count <= (1 << 20) - Int(GrowingFile.withheldBytes))
            #expect(bytes.starts(with: body))
            #expect(answer?.isWhole == false)
            #expect(client.end == .fin)
            #expect(outcomes.all.map(\.cut) == [.source])
        }
    }

    @Test func theEndOfARangeWaitsForTheDigestToo() async throws {
        // INT-4
        let bytes = pattern(200_000)
        let file = try growingFile(total: 200_000)
        try file.grow(by: bytes)
        try await serving(.file(file, 1000..<50_000), status: 206) { test, _ in
            let client = try test.client()
            client.get("/")
            #expect(client.waitForByte())
            file.failSoon(after: test)
            let answer = try #require(client.readAnswer())
            #expect(!answer.isWhole)
            #expect(answer.body.count <= 49_000 - Int(GrowingFile.withheldBytes))
            #expect(client.end == .fin)
        }
    }

    @Test func aFileOfUnknownSizeGoesOutInChunks() async throws {
        let bytes = pattern(700_000)
        let file = try growingFile(total: nil)
        try await serving(.file(file, nil)) { test, outcomes in
            let client = try test.client()
            client.get("/")
            #expect(client.waitForByte())
            try file.grow(by: Array(bytes[..<300_000]))
            try file.grow(by: Array(bytes[300_000...]))
            file.complete()
            let answer = try #require(client.readAnswer())
            #expect(answer.field("Transfer-Encoding") == "chunked")
            #expect(answer.field("Content-Length") == nil)
            #expect(answer.isWhole)
            #expect(answer.body == bytes)
            client.get("/")
            let again = try #require(client.readAnswer())
            #expect(again.field("Content-Length") == "700000")
            #expect(again.body == bytes)
            #expect(outcomes.all.first?.bytesSent == 700_000)
        }
    }

    @Test func aFailedChunkedBodyNeverGetsItsLastChunk() async throws {
        let file = try growingFile(total: nil)
        try await serving(.file(file, nil)) { test, _ in
            let client = try test.client()
            client.get("/")
            try file.grow(by: pattern(100_000))
            #expect(client.waitForByte())
            file.failSoon(after: test)
            let answer = try #require(client.readAnswer())
            #expect(!answer.isWhole)
            #expect(client.end == .fin)
        }
    }

    @Test func http10WaitsForTheSize() async throws {
        let bytes = pattern(50_000)
        let file = try growingFile(total: nil)
        try await serving(.file(file, nil)) { test, _ in
            let client = try test.client()
            client.send("GET / HTTP/1.0\r\n\r\n")
            try file.grow(by: bytes)
            file.complete()
            let answer = try #require(client.readAnswer())
            #expect(answer.field("Content-Length") == "50000")
            #expect(answer.body == bytes)
        }
    }

    @Test(arguments: [true, false])
    func anEmptyBodyIsPromisedOnlyOnceItIsVerified(_ verified: Bool) async throws {
        // INT-1: an empty body has no end that could be withheld.
        let file = try growingFile(total: 0)
        try await serving(.file(file, nil)) { test, _ in
            let client = try test.client()
            client.get("/")
            if verified { file.complete() } else { file.fail() }
            #expect(client.readAnswer()?.status == (verified ? 200 : 502))
        }
    }

    @Test func aFileThatStopsGrowingIsCut() async throws {
        var limits = ServerLimits()
        limits.growthStallTimeout = .milliseconds(100)
        let file = try growingFile(total: 100_000)
        try await serving(.file(file, nil), limits: limits) { test, outcomes in
            let client = try test.client()
            client.get("/")
            let answer = try #require(client.readAnswer())
            #expect(!answer.isWhole)
            #expect(client.end == .fin)
            #expect(outcomes.all.map(\.cut) == [.source])
        }
        #expect(file.readers == 0)
    }

    @Test func manyReadersShareOneGrowingFileOnSeveralLoops() async throws {
        let bytes = pattern(3 << 20)
        let file = try growingFile(total: 3 << 20)
        try await serving(.file(file, nil), loops: 2) { test, _ in
            let clients = try (0..<40).map { _ in try test.client() }
            for client in clients { client.get("/") }
            for client in clients { #expect(client.waitForByte()) }
            for start in stride(from: 0, to: bytes.count, by: 256 << 10) {
                try file.grow(by: Array(bytes[start..<(start + (256 << 10))]))
            }
            file.complete()
            for client in clients { #expect(client.readAnswer()?.body == bytes) }
        }
        #expect(file.readers == 0)
    }

    // MARK: - Streams

    @Test(arguments: [nil, 400_000])
    func aStreamIsPassedThrough(_ length: Int64?) async throws {
        let parts = [pattern(150_000, seed: 1), [], pattern(250_000, seed: 2)]
        let stream = ScriptedStream(parts)
        try await serving(.stream(stream, length: length)) { test, outcomes in
            let client = try test.client()
            client.get("/")
            let answer = try #require(client.readAnswer())
            #expect(answer.isWhole)
            #expect(answer.body == parts.flatMap { $0 })
            #expect((answer.field("Transfer-Encoding") == nil) == (length != nil))
            client.finish()
            _ = client.readToEnd()
            #expect(outcomes.all.first?.bytesSent == 400_000)
        }
        #expect(stream.cancelled.all.isEmpty)
    }

    @Test(arguments: [nil, 400_000])
    func aStreamThatFailsIsCut(_ length: Int64?) async throws {
        let stream = ScriptedStream([pattern(150_000), nil])
        try await serving(.stream(stream, length: length)) { test, outcomes in
            let client = try test.client()
            client.get("/")
            let answer = try #require(client.readAnswer())
            #expect(!answer.isWhole)
            #expect(answer.body.count == 150_000)
            #expect(client.end == .fin)
            #expect(outcomes.all.map(\.cut) == [.source])
        }
    }

    @Test func aStreamLongerThanPromisedNeverCompletes() async throws {
        // INT-11
        let stream = ScriptedStream([pattern(100), pattern(100)])
        try await serving(.stream(stream, length: 150)) { test, _ in
            let client = try test.client()
            client.get("/")
            #expect(client.readAnswer()?.isWhole == false)
        }
        #expect(stream.cancelled.all == [true])
    }

    @Test func aFailedStreamIsResetWhereTheEndWouldMeanSuccess() async throws {
        let stream = ScriptedStream([pattern(100), nil])
        try await serving(.stream(stream, length: nil)) { test, _ in
            let client = try test.client()
            client.send("GET / HTTP/1.0\r\n\r\n")
            _ = client.readToEnd()
            #expect(client.end == .reset)
        }
    }

    @Test func headCancelsAStream() async throws {
        let stream = ScriptedStream([pattern(100)])
        try await serving(.stream(stream, length: 100)) { test, _ in
            let client = try test.client()
            client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.readAnswer(toHead: true)?.field("Content-Length") == "100")
        }
        #expect(stream.cancelled.all == [true])
    }

    // MARK: - Clients that leave

    @Test func aClientThatLeavesFreesItsReader() async throws {
        let file = try growingFile(total: 50 << 20)
        let gone = Promise<ResponseOutcome>()
        try await TestServer.run(handler: { _ in
            Response(status: 200, body: .file(file, nil), finished: { gone.fulfil($0) })
        }) { test in
            do {
                let client = try test.client()
                client.get("/")
                #expect(client.waitForByte())
                try file.grow(by: pattern(8 << 20))
                // Closing with bytes unread resets the connection.
            }
            try file.grow(by: pattern(8 << 20))
            let loop = try EventLoop.start(name: "wait")
            let outcome = await gone.value(on: loop)
            loop.stop()
            #expect(outcome?.cut == .clientGone)
            #expect(file.readers == 0)
        }
    }
}

extension GrowingFile {
    /// Fails after the server's loops have had their turns with what is there.
    fileprivate func failSoon(after test: TestServer) {
        test.loops[0].post { [self] in
            test.loops[0].timer(after: .milliseconds(50)) { self.fail() }
        }
    }
}

extension Promise {
    /// Waits on `loop` for at most 20 s.
    func value(on loop: EventLoop) async -> Value? {
        await withCheckedContinuation { continuation in
            loop.spawn {
                continuation.resume(returning: await self.value(within: .seconds(20), on: loop))
            }
        }
    }
}
