import Reactor
import Server
import Testing

/// Bodies that are passed through.
@Suite struct StreamBodyTests {
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

    // DUR-6: the disk has no room for the rest of a file that is being sent.
    @Test(arguments: [nil, 400_000], [true, false])
    func aFileThatCannotGrowGoesOnAsAStream(_ total: Int64?, isRight: Bool) async throws {
        let bytes = pattern(400_000)
        let stream = ScriptedStream(
            [Array(bytes[150_000..<300_000]), isRight ? Array(bytes[300_000...]) : nil])
        let file = try growingFile(total: total)
        try await serving(.file(file, nil)) { test, outcomes in
            let client = try test.client()
            client.get("/")
            try file.grow(by: Array(bytes[..<100_000]))
            #expect(client.waitForByte())
            try file.grow(by: Array(bytes[100_000..<150_000]))
            file.fail(continuing: .init(offset: 150_000) { stream })
            let answer = try #require(client.readAnswer())
            #expect(answer.isWhole == isRight)
            #expect(answer.body == Array(bytes[..<(isRight ? 400_000 : 300_000)]))
        }
        #expect(file.readers == 0)
    }

    // INT-4: a part of it has an end that this stream does not guard.
    @Test func aRangeOfAFileThatCannotGrowIsCut() async throws {
        let file = try growingFile(total: 400_000)
        try file.grow(by: pattern(150_000))
        try await serving(.file(file, 1000..<200_000), status: 206) { test, _ in
            let client = try test.client()
            client.get("/")
            #expect(client.waitForByte())
            file.fail(continuing: .init(offset: 150_000) { ScriptedStream([]) })
            #expect(client.readAnswer()?.isWhole == false)
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
}
