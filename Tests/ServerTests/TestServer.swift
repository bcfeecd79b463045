import Glibc
import HTTP
import Linux
import Reactor
import Server
import Synchronization
import TLS
import Telemetry
import Testing

/// What a closure answers.
struct ClosureHandler: RequestHandler {
    let body: @Sendable (Request) async -> Response

    /// Digits behind `/part/`.
    func part(of head: UnsafeRawBufferPointer) -> Range<Int>? {
        let start = "GET /part/".utf8.count
        guard head.count > start + HeadPart.count, head.starts(with: "GET /part/".utf8) else {
            return nil
        }
        return start..<start + HeadPart.count
    }

    func respond(to request: Request) async -> Response { await body(request) }

    func refuse(_ error: RequestError, _ context: RefusalContext) -> Response {
        Response(
            status: error.status, fields: ["Content-Type": "application/json"],
            body: .bytes(Array("{\"reason\":\"\(error.reason)\"}".utf8)))
    }
}

/// A running server with one listener on a port of the kernel's choice.
struct TestServer {
    typealias Handler = @Sendable (Request) async -> Response

    let loops: [EventLoop]
    let server: Server
    let listener: Listener
    let rejections: Recorder<RejectionReason>

    var port: UInt16 { listener.port }

    func client(receiveBuffer: Int32? = nil) throws -> TestClient {
        try TestClient(port: port, receiveBuffer: receiveBuffer)
    }

    /// Begins a drain on a loop: a task of the shared pool may have to wait until the tests that
    /// block it have come to their ends.
    func beginDrain(within bound: Duration) -> Promise<Void> {
        let drained = Promise<Void>()
        loops[0].spawn { [server] in
            await server.drain(within: bound)
            drained.fulfil(())
        }
        return drained
    }

    /// Runs `body` with a server that is drained and stopped afterwards.
    static func run(
        limits: ServerLimits = ServerLimits(), hostnames: Set<String>? = nil, loops count: Int = 1,
        workers: WorkerPool? = nil, tls: TLSContext? = nil, handler: @escaping Handler,
        _ body: (TestServer) async throws -> Void
    ) async throws {
        let loops = try (0..<count).map { try EventLoop.start(name: "test-\($0)") }
        let rejections = Recorder<RejectionReason>()
        var events = ServerEvents()
        events.rejected = { reason, _ in rejections.add(reason) }
        let server = Server(loops: loops, workers: workers, limits: limits, events: events)
        let listener = try Listener(
            name: "test", host: "127.0.0.1", port: 0, hostnames: hostnames, tls: tls)
        try await server.serve(listener, by: ClosureHandler(body: handler))
        let test = TestServer(
            loops: loops, server: server, listener: listener, rejections: rejections)
        do {
            try await body(test)
        } catch {
            await test.stop()
            throw error
        }
        await test.stop()
    }

    private func stop() async {
        await server.drain(within: .zero)
        for loop in loops { loop.stop() }
    }
}

/// Values noted on loops and looked at by the test.
final class Recorder<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])

    func add(_ value: Value) { values.withLock { $0.append(value) } }

    var all: [Value] { values.withLock { $0 } }
}

/// Bytes that differ from block to block and within each.
func pattern(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    let block = (0..<512).flatMap { _ in withUnsafeBytes(of: generator.next()) { Array($0) } }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + block.count)
    while bytes.count < count {
        withUnsafeBytes(of: UInt64(bytes.count)) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: block)
    }
    return Array(bytes.prefix(count))
}

/// A temporary file without a name.
func temporaryFile() throws -> FileDescriptor {
    var template = Array("/tmp/cistern-server-test-XXXXXX".utf8CString)
    let raw = mkstemp(&template)
    if raw < 0 { throw Errno.last("mkstemp") }
    unlink(template)
    return FileDescriptor(owning: raw)
}

func completeFile(_ bytes: [UInt8]) throws -> GrowingFile {
    let descriptor = try temporaryFile()
    try bytes.withUnsafeBytes { try System.pwriteAll(descriptor.raw, $0, at: 0) }
    return GrowingFile(complete: descriptor, size: Int64(bytes.count))
}

func growingFile(total: Int64?) throws -> GrowingFile {
    GrowingFile(growing: try temporaryFile(), total: total)
}

extension GrowingFile {
    /// Writes behind what is there and tells the readers.
    func grow(by bytes: [UInt8]) throws {
        let start = progress.written
        try bytes.withUnsafeBytes { try System.pwriteAll(fd, $0, at: start) }
        extend(to: start + Int64(bytes.count))
    }
}

/// A server whose every answer has `body`, and the outcomes of its answers.
func serving(
    _ body: Body, status: Int = 200, limits: ServerLimits = ServerLimits(),
    workers: WorkerPool? = nil, loops: Int = 1, tls: TLSContext? = nil,
    _ test: (TestServer, Recorder<ResponseOutcome>) async throws -> Void
) async throws {
    let outcomes = Recorder<ResponseOutcome>()
    let handler: TestServer.Handler = { _ in
        Response(
            status: status, fields: ["Content-Type": "application/octet-stream"], body: body,
            finished: { outcomes.add($0) })
    }
    try await TestServer.run(
        limits: limits, loops: loops, workers: workers, tls: tls, handler: handler
    ) { try await test($0, outcomes) }
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
