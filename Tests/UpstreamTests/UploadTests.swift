import Linux
import OCI
import Reactor
import Synchronization
import Testing

@testable import Upstream

/// Bytes in pieces of given sizes, which may fail at their end.
private final class Pieces: UpstreamBody {
    private struct State {
        var rest: [[UInt8]]
        var given = 0
        var isCancelled = false
    }

    private let state: Mutex<State>
    private let failure: UpstreamError?
    /// Whether each piece lets everything else on its loop go first.
    private let loop: EventLoop

    init(_ pieces: [[UInt8]], _ loop: EventLoop, failure: UpstreamError? = nil) {
        state = Mutex(State(rest: pieces))
        self.loop = loop
        self.failure = failure
    }

    var given: Int { state.withLock { $0.given } }
    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    func next() async throws(UpstreamError) -> Chunk? {
        await loop.pause(for: .milliseconds(1))
        let piece = state.withLock { state -> [UInt8]? in
            guard !state.rest.isEmpty else { return nil }
            state.given += 1
            return state.rest.removeFirst()
        }
        if let piece { return Chunk(piece) }
        if let failure { throw failure }
        return nil
    }

    func cancel() { state.withLock { $0.isCancelled = true } }
}

/// Bytes that come late, each piece within a client's patience.
private final class LatePieces: UpstreamBody {
    private let count: Int
    private let given = Mutex(0)
    private let clock: ManualClock
    private let loop: EventLoop

    init(_ count: Int, _ clock: ManualClock, _ loop: EventLoop) {
        self.count = count
        self.clock = clock
        self.loop = loop
    }

    func next() async throws(UpstreamError) -> Chunk? {
        let number = given.withLock { given in
            given += 1
            return given
        }
        guard number <= count else { return nil }
        // The first one is asked for while the connection is made.
        if number > 1 { clock.advance(by: .seconds(20)) }
        await loop.pause(for: .zero)
        return Chunk([1])
    }

    func cancel() {}
}

/// Requests with a body, as only the commands send them.
@Suite struct UploadTests {
    private static func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }

    private static func name(_ text: String) throws -> RepositoryName {
        try #require(RepositoryName(parsing: text))
    }

    @Test(arguments: [[], [1], [300_000], [1, 0, 65_536, 262_144, 7], [1_000_000, 1_000_000]])
    func aStreamArrivesAsItIs(sizes: [Int]) async throws {
        let taken: ScriptedServer.Handler = { _ in Step.response(201, "", ["Location": "/x"]) }
        try await withServer(taken) { server in
            let harness = try Harness(server.url)
            defer { harness.stop() }
            let pieces = sizes.map { Self.bytes($0) }
            let whole = pieces.flatMap { $0 }
            for _ in 0..<2 {
                let body = Pieces(pieces, harness.loop)
                let response = try await harness.send(
                    RegistryCall(
                        .put, .path("v2/a/blobs/uploads/1?digest=x"), about: Self.name("a"),
                        fields: ["Content-Type: application/octet-stream"],
                        body: .stream(body, length: Int64(whole.count))))
                #expect(response.status == 201)
                #expect(response.location == "/x")
            }
            for request in server.requests {
                #expect(request.method == "PUT")
                #expect(request["content-length"] == "\(whole.count)")
                #expect(request["expect"] == nil)
                #expect(request.body == whole)
            }
            // The connection is used again.
            #expect(server.connections == 1)
        }
    }

    @Test func aRequestWithoutABodyHasOneOfNoBytes() async throws {
        let taken: ScriptedServer.Handler = { _ in Step.response(202, "", ["Location": "/x"]) }
        try await withServer(taken) { server in
            let harness = try Harness(server.url)
            defer { harness.stop() }
            let call = RegistryCall(.post, .path("v2/a/blobs/uploads/"), about: try Self.name("a"))
            #expect(try await harness.send(call).status == 202)
            #expect(server.requests.map(\.method) == ["POST"])
            #expect(server.requests[0]["content-length"] == "0")
        }
    }

    @Test func whatIsRefusedEarlyIsNotSentToItsEnd() async throws {
        let refusal = Step.response(413, "too much", ["Connection": "close"]) + [.close]
        let refuse: ScriptedServer.Handler = { _ in refusal }
        try await withServer(refuse) { server in
            let harness = try Harness(server.url)
            defer { harness.stop() }
            let pieces = [[UInt8]](repeating: Self.bytes(65_536), count: 1000)
            let body = Pieces(pieces, harness.loop)
            let call = RegistryCall(
                .put, .path("early"), body: .stream(body, length: 65_536_000))
            // The server may be gone before its answer was read.
            let status = try? await harness.send(call).status
            #expect(status == 413 || status == nil)
            #expect(await eventually { body.isCancelled })
            #expect(body.given < 1000)
        }
    }

    @Test func aSourceThatFailsEndsTheRequest() async throws {
        let taken: ScriptedServer.Handler = { _ in Step.response(201) }
        try await withServer(taken) { server in
            let harness = try Harness(server.url)
            defer { harness.stop() }
            let body = Pieces([Self.bytes(1000)], harness.loop, failure: .stalled)
            let call = RegistryCall(
                .put, .path("v2/a"), body: .stream(body, length: 2000))
            await #expect(throws: UpstreamError.stalled) { try await harness.send(call) }
            // What came of it was no whole request.
            #expect(server.requests.isEmpty)
        }
    }

    @Test func whoPushesAsksForThatAndAMountForItsOriginToo() async throws {
        let answer: ScriptedServer.Handler = { request in
            if request.target.hasPrefix("/token") {
                return Step.response(200, "{\"token\":\"t\"}")
            }
            guard request["authorization"] != nil else {
                return Step.unauthorized(
                    "Bearer realm=\"http://\(request["host"] ?? "")/token\","
                        + "service=\"s\",scope=\"repository:a:pull\"")
            }
            return Step.response(202, "", ["Location": "/x"])
        }
        try await withServer(answer) { server in
            let harness = try Harness(server.url) { $0.access = .push }
            defer { harness.stop() }
            var call = RegistryCall(
                .put, .path("v2/a/manifests/b"), about: try Self.name("a"),
                body: .bytes(Array("{}".utf8)))
            // Bytes that are at hand are sent once more with the token.
            #expect(try await harness.send(call).status == 202)
            #expect(server.requests.map(\.body.count) == [2, 0, 2])
            call = RegistryCall(
                .post, .path("v2/b/blobs/uploads/?mount=x"), about: try Self.name("b"))
            call.origin = try Self.name("a")
            #expect(try await harness.send(call).status == 202)
            let tokens = server.requests.map(\.target).filter { $0.hasPrefix("/token") }
            #expect(
                tokens == [
                    "/token?service=s&scope=repository%3Aa%3Apull%2Cpush",
                    "/token?service=s&scope=repository%3Ab%3Apull%2Cpush"
                        + "&scope=repository%3Aa%3Apull",
                ])
        }
    }

    @Test func aStreamThatWasTakenIsNotSentTwice() async throws {
        let answer: ScriptedServer.Handler = { request in
            if request.target.hasPrefix("/token") {
                return Step.response(200, "{\"token\":\"t\"}")
            }
            return request["authorization"] == nil
                ? Step.unauthorized("Bearer realm=\"http://\(request["host"] ?? "")/token\"")
                : Step.response(201)
        }
        try await withServer(answer) { server in
            let harness = try Harness(server.url) { $0.access = .push }
            defer { harness.stop() }
            func call() throws -> RegistryCall {
                RegistryCall(
                    .put, .path("v2/a/x"), about: try Self.name("a"),
                    body: .stream(Pieces([Self.bytes(100)], harness.loop), length: 100))
            }
            #expect(try await harness.send(call()).status == 401)
            // By then it is known what is wanted.
            #expect(try await harness.send(call()).status == 201)
        }
    }

    /// A token that ran out while nobody pushed is no refusal of the next one.
    @Test func aStreamThatWasRefusedMayComeAgainWithAFreshToken() async throws {
        let issued = Mutex(0)
        let answer: ScriptedServer.Handler = { request in
            if request.target.hasPrefix("/token") {
                let number = issued.withLock { issued in
                    issued += 1
                    return issued
                }
                return Step.response(200, "{\"token\":\"t\(number)\"}")
            }
            let isLate = request.target.contains("late")
            return request["authorization"] == (isLate ? "Bearer t2" : "Bearer t1")
                ? Step.response(201)
                : Step.unauthorized("Bearer realm=\"http://\(request["host"] ?? "")/token\"")
        }
        try await withServer(answer) { server in
            let harness = try Harness(server.url) { $0.access = .push }
            defer { harness.stop() }
            let name = try Self.name("a")
            let first = RegistryCall(.put, .path("v2/a/x"), about: name, body: .bytes([1]))
            #expect(try await harness.send(first).status == 201)
            for status in [401, 201] {
                let body = Pieces([Self.bytes(100)], harness.loop)
                let call = RegistryCall(
                    .put, .path("v2/a/late"), about: name, body: .stream(body, length: 100))
                #expect(try await harness.send(call).status == status)
            }
        }
    }

    // RFC 9110 §9.2.2
    @Test func whatOpensAnUploadIsNotSentTwice() async throws {
        let answer: ScriptedServer.Handler = { request in
            request.target.contains("broken")
                ? [.send("this is no HTTP\r\n\r\n"), .close] : Step.response(202)
        }
        try await withServer(answer) { server in
            let harness = try Harness(server.url)
            defer { harness.stop() }
            #expect(try await harness.send(RegistryCall(.post, .path("fine"))).status == 202)
            await #expect(throws: UpstreamError.self) {
                try await harness.send(RegistryCall(.post, .path("broken")))
            }
            #expect(server.requests.count == 2)
            #expect(try await harness.send(RegistryCall(.post, .path("fine"))).status == 202)
            // What only reads is asked for once more.
            await #expect(throws: UpstreamError.self) {
                try await harness.send(RegistryCall(.get, .path("broken")))
            }
            #expect(server.requests.count == 5)
        }
    }

    // UP-2
    @Test func anUploadThatMovesIsNeverLate() async throws {
        let clock = ManualClock()
        let taken: ScriptedServer.Handler = { _ in Step.response(201) }
        try await withServer(taken) { server in
            let harness = try Harness(server.url, clock: .manual(clock))
            defer { harness.stop() }
            let call = RegistryCall(
                .put, .path("v2/a"),
                body: .stream(LatePieces(50, clock, harness.loop), length: 50),
                patience: .seconds(60))
            #expect(try await harness.send(call).status == 201)
        }
    }

    // CRED-3
    @Test func elsewhereTheLoginDoesNotGo() async throws {
        let answer: ScriptedServer.Handler = { request in
            request["authorization"] == nil
                ? Step.unauthorized("Basic realm=\"x\"") : Step.response(200)
        }
        let taken: ScriptedServer.Handler = { _ in Step.response(201) }
        try await withServer(taken) { other in
            try await withServer(answer) { server in
                let harness = try Harness(server.url) {
                    $0.credentials = .init(username: [97], password: [98])
                    $0.allowNetworks = ["127.0.0.0/8"].compactMap { .init(parsing: $0) }
                }
                defer { harness.stop() }
                let own = RegistryCall(.put, .link("/v2/x?y=z"), body: .bytes([1]))
                #expect(try await harness.send(own).status == 200)
                let call = RegistryCall(.put, .link("\(other.url)/up?a=b"), body: .bytes([1]))
                #expect(try await harness.send(call).status == 201)
                #expect(other.requests.map(\.target) == ["/up?a=b"])
                #expect(other.requests[0]["authorization"] == nil)
                for bad in ["ftp://x/", "http://u:p@x/", "//", "http://[", ""] {
                    let call = RegistryCall(.put, .link(bad), body: .bytes([1]))
                    await #expect(throws: UpstreamError.self) { try await harness.send(call) }
                }
            }
        }
    }
}
