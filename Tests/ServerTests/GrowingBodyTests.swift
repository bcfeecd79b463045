import Reactor
import Server
import Testing

/// Bodies of files that are still being written, whole and cut.
@Suite struct GrowingBodyTests {
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

    @Test func aClientThatLeavesFreesItsReader() async throws {
        let file = try growingFile(total: 50 << 20)
        let gone = Promise<ResponseOutcome>()
        let handler: TestServer.Handler = { _ in
            Response(status: 200, body: .file(file, nil), finished: { gone.fulfil($0) })
        }
        try await TestServer.run(handler: handler) { test in
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
