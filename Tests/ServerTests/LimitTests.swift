import Glibc
import HTTP
import Linux
import Reactor
import Server
import Telemetry
import Testing

/// Limits, timeouts and the drain.
@Suite struct LimitTests {
    private static let hello: @Sendable (Request) async -> Response = { _ in
        Response(status: 200, body: .bytes(Array("hello".utf8)))
    }

    // MARK: - Connections

    @Test func anAddressGetsNoMoreThanItsShare() async throws {
        // RES-6
        var limits = ServerLimits()
        limits.connectionsPerAddressMax = 3
        try await TestServer.run(limits: limits, handler: Self.hello) { test in
            let clients = try (0..<3).map { _ in try test.client() }
            for client in clients {
                client.get("/")
                #expect(client.readAnswer()?.status == 200)
            }
            let refused = try test.client()
            _ = refused.readToEnd()
            #expect(test.rejections.all == [.address])
            #expect(test.listener.openConnections == 3)
        }
    }

    @Test func aFullServerEndsItsOldestIdleConnection() async throws {
        // RES-6
        var limits = ServerLimits()
        limits.connectionsMax = 2
        try await TestServer.run(limits: limits, handler: Self.hello) { test in
            let first = try test.client()
            first.get("/")
            #expect(first.readAnswer()?.status == 200)
            let second = try test.client()
            second.get("/")
            #expect(second.readAnswer()?.status == 200)
            let third = try test.client()
            third.get("/")
            #expect(third.readAnswer()?.status == 200)
            #expect(first.readToEnd().isEmpty)
            #expect(first.end == .fin)
            second.get("/")
            #expect(second.readAnswer()?.status == 200)
        }
    }

    @Test func aFullServerWithoutIdleConnectionsWaits() async throws {
        var limits = ServerLimits()
        limits.connectionsMax = 1
        let file = try growingFile(total: 100)
        let handler: TestServer.Handler = { _ in Response(status: 200, body: .file(file, nil)) }
        try await TestServer.run(limits: limits, handler: handler) { test in
            let busy = try test.client()
            busy.get("/")
            #expect(busy.waitForByte())
            let waiting = try test.client()
            waiting.get("/")
            test.loops[0].post {
                test.loops[0].timer(after: .milliseconds(150)) {
                    try? file.grow(by: pattern(100))
                    file.complete()
                }
            }
            #expect(busy.readAnswer()?.body == pattern(100))
            #expect(waiting.readAnswer()?.body == pattern(100))
            #expect(test.rejections.all.contains(.connections))
            // The pauses were few: no busy loop.
            #expect(test.rejections.all.count < 10)
        }
    }

    @Test func everyLoopHasItsShareOfTheConnections() async throws {
        let handler: TestServer.Handler = { request in
            Response(status: 200, body: .bytes(Array(request.loop.name.utf8)))
        }
        try await TestServer.run(loops: 2, handler: handler) { test in
            var shares: [String: Int] = [:]
            let clients = try (0..<20).map { _ in try test.client() }
            for client in clients {
                client.get("/")
                shares[try #require(client.readAnswer()).text, default: 0] += 1
            }
            #expect(shares.values.sorted() == [10, 10])
        }
    }

    @Test func aThousandConnectionsAreServed() async throws {
        var limits = ServerLimits()
        limits.connectionsPerAddressMax = 4096
        // The first may wait long until the last is connected.
        limits.headerTimeout = .seconds(60)
        try await TestServer.run(limits: limits, loops: 2, handler: Self.hello) { test in
            let count = min(1000, (System.descriptorLimit - 200) / 3)
            let clients = try (0..<count).map { _ in try test.client() }
            for _ in 0..<2 {
                for client in clients { client.get("/") }
                for client in clients { #expect(client.readAnswer()?.text == "hello") }
            }
            #expect(test.listener.openConnections == count)
            #expect(test.listener.acceptedConnections == count)
        }
    }

    @Test func aConnectionEndsAfterItsShareOfRequests() async throws {
        // RES-1
        var limits = ServerLimits()
        limits.requestsPerConnectionMax = 3
        try await TestServer.run(limits: limits, handler: Self.hello) { test in
            let client = try test.client()
            for index in 1...3 {
                client.get("/")
                let answer = try #require(client.readAnswer())
                #expect(answer.field("Connection") == (index == 3 ? "close" : nil))
            }
            #expect(client.readToEnd().isEmpty)
            #expect(client.end == .fin)
        }
    }

    // MARK: - Times

    @Test func aHeadThatNeverEndsIsNotWaitedFor() async throws {
        // RES-5: from accept, however often a byte comes
        var limits = ServerLimits()
        limits.headerTimeout = .milliseconds(200)
        limits.idleTimeout = .seconds(60)
        try await TestServer.run(limits: limits, handler: Self.hello) { test in
            let silent = try test.client()
            let slow = try test.client()
            slow.send("GET / HTTP/1.1\r\nHost:")
            #expect(slow.readToEnd().isEmpty)
            #expect(silent.readToEnd().isEmpty)
            #expect(silent.end == .fin)
            let later = try test.client()
            later.get("/")
            #expect(later.readAnswer()?.status == 200)
            later.send("G")
            #expect(later.readToEnd().isEmpty)
            #expect(test.rejections.all == [.headerTimeout, .headerTimeout])
        }
    }

    @Test func anIdleConnectionIsEnded() async throws {
        // RES-5
        var limits = ServerLimits()
        limits.idleTimeout = .milliseconds(100)
        try await TestServer.run(limits: limits, handler: Self.hello) { test in
            let client = try test.client()
            client.get("/")
            #expect(client.readAnswer()?.status == 200)
            #expect(client.readToEnd().isEmpty)
            #expect(client.end == .fin)
            #expect(test.rejections.all.isEmpty)
        }
    }

    @Test func aBodyThatNeverComesIsNotWaitedFor() async throws {
        // RES-5
        var limits = ServerLimits()
        limits.bodyTimeout = .milliseconds(100)
        try await TestServer.run(limits: limits, handler: Self.hello) { test in
            let client = try test.client()
            client.get("/", fields: "Content-Length: 10\r\n")
            #expect(client.readToEnd().isEmpty)
        }
    }

    @Test func aClientThatTakesNothingIsCut() async throws {
        // RES-5
        var limits = ServerLimits()
        limits.writeStallTimeout = .milliseconds(100)
        let file = try completeFile(pattern(16 << 20))
        let cut = Promise<ResponseOutcome>()
        let handler: TestServer.Handler = { _ in
            Response(status: 200, body: .file(file, nil), finished: { cut.fulfil($0) })
        }
        try await TestServer.run(limits: limits, handler: handler) { test in
            let client = try test.client(receiveBuffer: 4096)
            client.get("/")
            #expect(client.waitForByte())
            let outcome = await cut.value(on: test.loops[0])
            #expect(outcome?.cut == .stalled)
            #expect(file.readers == 0)
        }
    }

    // MARK: - Draining

    @Test func aDrainEndsIdleConnectionsAtOnceAndLetsAnswersFinish() async throws {
        // OPS-1
        let bytes = pattern(200_000)
        let file = try growingFile(total: 200_000)
        let handler: TestServer.Handler = { request in
            request.head.target.path == "/file"
                ? Response(status: 200, body: .file(file, nil))
                : Response(status: 200, body: .bytes([65]))
        }
        try await TestServer.run(loops: 2, handler: handler) { test in
            let idle = try test.client()
            idle.get("/")
            #expect(idle.readAnswer()?.body == [65])
            let silent = try test.client()
            let busy = try test.client()
            busy.get("/file")
            #expect(busy.waitForByte())
            let drained = test.beginDrain(within: .seconds(20))
            #expect(idle.readToEnd().isEmpty)
            #expect(idle.end == .fin)
            #expect(silent.readToEnd().isEmpty)
            try file.grow(by: bytes)
            file.complete()
            #expect(busy.readAnswer()?.body == bytes)
            #expect(busy.readToEnd().isEmpty)
            #expect(await drained.value(on: test.loops[0]) != nil)
            #expect(test.server.openConnections == 0)
        }
    }

    @Test func anAnswerMadeDuringADrainEndsItsConnection() async throws {
        let started = Promise<Void>()
        let release = Promise<Void>()
        let handler: TestServer.Handler = { request in
            started.fulfil(())
            _ = await release.value(within: .seconds(20), on: request.loop)
            return Response(status: 200, body: .bytes([65]))
        }
        try await TestServer.run(handler: handler) { test in
            let client = try test.client()
            client.get("/")
            let waiter = try EventLoop.start(name: "wait")
            _ = await started.value(on: waiter)
            waiter.stop()
            let drained = test.beginDrain(within: .seconds(20))
            // Accepting has stopped once a new connection is refused or left waiting; the release
            // goes through the same loop, behind the drain.
            test.loops[0].post { test.loops[0].post { release.fulfil(()) } }
            let answer = try #require(client.readAnswer())
            #expect(answer.isWhole)
            client.finish()
            #expect(await drained.value(on: test.loops[0]) != nil)
        }
    }

    @Test func theBoundOfADrainCutsWhatIsLeft() async throws {
        // OPS-1
        let file = try growingFile(total: 100)
        let cut = Promise<ResponseOutcome>()
        let handler: TestServer.Handler = { _ in
            Response(status: 200, body: .file(file, nil), finished: { cut.fulfil($0) })
        }
        try await TestServer.run(handler: handler) { test in
            let client = try test.client()
            client.get("/")
            #expect(client.waitForByte())
            await test.server.drain(within: .milliseconds(100))
            #expect(test.server.openConnections == 0)
            #expect(cut.current?.cut == .drained)
            #expect(client.readAnswer()?.isWhole == false)
        }
    }

    @Test func aListenerCanBeTakenAway() async throws {
        try await TestServer.run(handler: Self.hello) { test in
            let other = try Listener(name: "other", host: "127.0.0.1", port: 0)
            try await test.server.serve(other, by: ClosureHandler(body: Self.hello))
            let client = try TestClient(port: other.port)
            client.get("/")
            #expect(client.readAnswer()?.status == 200)
            await test.server.stopAccepting(from: other)
            #expect(client.readToEnd().isEmpty)
            let kept = try test.client()
            kept.get("/")
            #expect(kept.readAnswer()?.status == 200)
        }
    }

    @Test func anInheritedSocketIsServed() async throws {
        // A blocking socket, as systemd hands it on.
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let descriptor = FileDescriptor(owning: raw)
        #expect(listen(raw, 16) == 0)
        let listener = try Listener(name: "inherited", listening: descriptor)
        try await TestServer.run(handler: Self.hello) { test in
            try await test.server.serve(listener, by: ClosureHandler(body: Self.hello))
            let client = try TestClient(port: listener.port)
            client.get("/")
            #expect(client.readAnswer()?.text == "hello")
        }
    }

    // MARK: - Fairness

    @Test func largeBodiesLeaveSmallOnesTheirTurn() async throws {
        let large = try completeFile([UInt8](repeating: 7, count: 64 << 20))
        let handler: TestServer.Handler = { request in
            request.head.target.path == "/large"
                ? Response(status: 200, body: .file(large, nil))
                : Response(status: 200, body: .bytes([65]))
        }
        try await TestServer.run(handler: handler) { test in
            let heavy = try (0..<4).map { _ in try test.client() }
            for client in heavy { client.get("/large") }
            for client in heavy { #expect(client.waitForByte()) }
            let small = try test.client()
            for _ in 0..<20 {
                small.get("/small")
                #expect(small.readAnswer()?.body == [65])
            }
        }
    }
}
