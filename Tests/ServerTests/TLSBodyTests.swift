import COpenSSL
import Glibc
import HTTP
import Linux
import Reactor
import Server
import TLS
import TestSupport
import Testing

/// What goes through TLS, and how it ends.
@Suite struct TLSBodyTests {
    private let fixture = try? TLSFixture.get()

    @Test(arguments: [0, 1, 16 << 10, (16 << 10) + 1, 1 << 20, 30 << 20])
    func aFileArrivesByteForByte(_ size: Int) async throws {
        let fixture = try #require(fixture)
        let bytes = pattern(size)
        let file = try completeFile(bytes)
        let workers = try WorkerPool(threads: 1, name: "test")
        try await serving(.file(file, nil), workers: workers, tls: fixture.context()) {
            test, outcomes in
            for version in [TLS1_2_VERSION, TLS1_3_VERSION] {
                var options = fixture.options()
                options.versions = version...version
                let client = try TestClient(port: test.port, tls: options)
                for _ in 0..<2 {
                    client.get("/")
                    let answer = try #require(client.readAnswer())
                    #expect(answer.isWhole)
                    #expect(answer.body == bytes)
                }
            }
            let outcome = try #require(outcomes.all.first)
            #expect(outcome.bytesSent == Int64(size))
            #expect(outcome.isComplete)
        }
        #expect(file.readers == 0)
    }

    @Test func aSlowReaderOfAColdFileGetsItWhole() async throws {
        let fixture = try #require(fixture)
        let bytes = pattern(12 << 20)
        let file = try completeFile(bytes)
        try System.fsync(file.fd)
        posix_fadvise(file.fd, 0, 0, POSIX_FADV_DONTNEED)
        let workers = try WorkerPool(threads: 1, name: "test")
        try await serving(.file(file, nil), workers: workers, tls: fixture.context()) { test, _ in
            // The queue is full all the time, so that records wait half sent.
            let slow = try TestClient(
                port: test.port, receiveBuffer: 4096, tls: fixture.options())
            slow.get("/")
            let other = try TestClient(port: test.port, tls: fixture.options())
            other.get("/")
            #expect(other.readAnswer()?.body == bytes)
            posix_fadvise(file.fd, 0, 0, POSIX_FADV_DONTNEED)
            #expect(slow.readAnswer()?.body == bytes)
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        let fixture = try #require(fixture)
        try await TestServer.run(tls: fixture.context()) { request in
            Response(status: 200, body: .bytes(Array(request.head.target.path.utf8)))
        } _: { test in
            let client = try TestClient(port: test.port, tls: fixture.options())
            let requests = (0..<200).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }
            client.send(requests.joined())
            for number in 0..<200 { #expect(client.readAnswer()?.text == "/\(number)") }
            // In records of one byte, too.
            for byte in Array(requests[7].utf8) { client.send([byte]) }
            #expect(client.readAnswer()?.text == "/7")
        }
    }

    @Test(arguments: [nil, 1 << 20])
    func aWholeBodyEndsInOrder(_ total: Int64?) async throws {
        let fixture = try #require(fixture)
        let bytes = pattern(1 << 20)
        let file = try growingFile(total: total)
        try await serving(.file(file, nil), tls: fixture.context()) { test, _ in
            for text in ["HTTP/1.1\r\nConnection: close", "HTTP/1.0"] {
                let client = try TestClient(port: test.port, tls: fixture.options())
                client.send("GET / \(text)\r\nHost: a\r\n\r\n")
                if file.progress.phase == .growing {
                    try file.grow(by: bytes)
                    #expect(client.waitForByte() || text == "HTTP/1.0")
                    file.complete()
                }
                let answer = try #require(client.readAnswer())
                #expect(answer.body == bytes)
                #expect(answer.isWhole)
                #expect(client.readToEnd().isEmpty)
                #expect(client.end == .closed)
            }
        }
    }

    // INT-1
    @Test(arguments: [nil, 1 << 20])
    func aBodyThatIsCutDoesNotSayGoodbye(_ total: Int64?) async throws {
        let fixture = try #require(fixture)
        let bytes = pattern(1 << 20)
        let file = try growingFile(total: total)
        try await serving(.file(file, nil), tls: fixture.context()) { test, outcomes in
            let client = try TestClient(port: test.port, tls: fixture.options())
            client.get("/")
            try file.grow(by: bytes)
            #expect(client.waitForByte())
            file.fail()
            let answer = try #require(client.readAnswer())
            #expect(!answer.isWhole)
            #expect(answer.body.count < bytes.count)
            #expect(bytes.starts(with: answer.body))
            #expect(client.end == .fin)
            #expect(outcomes.all.first?.cut == .source)
        }
    }

    @Test func whoStaysIdleIsLeftInOrder() async throws {
        let fixture = try #require(fixture)
        var limits = ServerLimits()
        limits.idleTimeout = .milliseconds(100)
        try await serving(.bytes([1]), limits: limits, tls: fixture.context()) { test, _ in
            let client = try TestClient(port: test.port, tls: fixture.options())
            client.get("/")
            #expect(client.readAnswer()?.body == [1])
            #expect(client.readToEnd().isEmpty)
            #expect(client.end == .closed)
        }
    }

    @Test func refusalsAndDropsWorkAsOnPlainConnections() async throws {
        let fixture = try #require(fixture)
        try await serving(.bytes([1]), tls: fixture.context()) { test, _ in
            let client = try TestClient(port: test.port, tls: fixture.options())
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n")
            client.send(pattern(40_000))
            #expect(client.readAnswer()?.body == [1])
            client.send("nonsense\r\n\r\n")
            #expect(client.readAnswer()?.status == 400)
            #expect(client.readToEnd().isEmpty)
            #expect(client.end == .closed)
        }
    }

    @Test func aDrainEndsIdleConnectionsAtOnce() async throws {
        let fixture = try #require(fixture)
        try await serving(.bytes([1]), tls: fixture.context()) { test, _ in
            let client = try TestClient(port: test.port, tls: fixture.options())
            client.get("/")
            #expect(client.readAnswer()?.body == [1])
            await test.server.drain(within: .seconds(20))
            #expect(client.readToEnd().isEmpty)
            #expect(client.end == .closed)
        }
    }
}
