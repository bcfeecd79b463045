import Glibc
import HTTP
import Linux
import Reactor
import Server
import Testing

/// Bodies from memory and from complete files.
@Suite struct BodyTests {
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

    @Test(arguments: [1000, 20 << 20])
    func aColdFileIsWarmedByAWorkerAndSentWhole(_ size: Int) async throws {
        let bytes = pattern(size)
        let file = try completeFile(bytes)
        try System.fsync(file.fd)
        posix_fadvise(file.fd, 0, 0, POSIX_FADV_DONTNEED)
        let workers = try WorkerPool(threads: 2, name: "test")
        try await serving(.file(file, nil), workers: workers) { test, _ in
            let client = try test.client()
            client.get("/")
            #expect(client.readAnswer()?.body == bytes)
        }
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
}
