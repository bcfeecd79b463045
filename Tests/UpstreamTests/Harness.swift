import OCI
import Reactor
import Synchronization
import Testing

@testable import Upstream

/// A client on a loop of its own, with what it reported.
struct Harness {
    let loop: EventLoop
    let upstream: CurlUpstream
    let exchanges = Recorder<UpstreamEvents.Exchange>()
    /// Sizes of what arrived.
    let arrivals = Recorder<Int>()

    init(
        _ base: String, clock: LoopClock = .system,
        _ change: (inout UpstreamSettings) -> Void = { _ in }
    ) throws {
        loop = try EventLoop.start(name: "upstream", clock: clock)
        var settings = UpstreamSettings(
            registry: "example", base: try #require(RemoteURL(parsing: base)))
        change(&settings)
        let (exchanges, arrivals) = (exchanges, arrivals)
        upstream = try CurlUpstream(
            settings, loop: loop,
            events: UpstreamEvents(
                exchange: { exchanges.append($0) }, received: { arrivals.append($0) }))
    }

    /// Body bytes that arrived so far.
    var received: Int { arrivals.all.reduce(0, +) }

    /// Lets the loop turn once, with all that is due.
    func turn() async {
        await withCheckedContinuation { continuation in loop.post { continuation.resume() } }
    }

    func stop() { loop.stop() }

    /// Sends from a task of the loop, as the daemon does: the pool that all tests share may be busy
    /// for longer than any of the client's bounds.
    func send(_ request: UpstreamRequest) async throws(UpstreamError) -> UpstreamResponse {
        try await onLoop { [upstream] in
            do throws(UpstreamError) {
                return .success(try await upstream.send(request))
            } catch {
                return .failure(error)
            }
        }
    }

    /// The same for what only commands send.
    func send(_ call: RegistryCall) async throws(UpstreamError) -> UpstreamResponse {
        try await onLoop { [upstream] in
            do throws(UpstreamError) {
                return .success(try await upstream.send(call))
            } catch {
                return .failure(error)
            }
        }
    }

    private func onLoop<Value: Sendable>(
        _ body: @escaping @Sendable () async -> Result<Value, UpstreamError>
    ) async throws(UpstreamError) -> Value {
        try await withTaskExecutorPreference(loop) { await body() }.get()
    }

    /// The body of a GET, whole.
    func get(
        _ resource: UpstreamRequest.Resource
    ) async throws(UpstreamError) -> (Int, [UInt8]) {
        try await onLoop { [upstream] in
            do throws(UpstreamError) {
                let response = try await upstream.send(UpstreamRequest(.get, resource))
                let body = try await response.body.collect(limit: 64 << 20)
                return .success((response.status, body))
            } catch {
                return .failure(error)
            }
        }
    }

    /// The error that a GET ends with, in its head or in its body.
    func failure(of resource: UpstreamRequest.Resource) async -> UpstreamError? {
        do throws(UpstreamError) {
            _ = try await onLoop { [upstream] in
                do throws(UpstreamError) {
                    let response = try await upstream.send(UpstreamRequest(.get, resource))
                    return .success(try await response.body.collect(limit: 64 << 20).count)
                } catch {
                    return .failure(error)
                }
            }
            return nil
        } catch {
            return error
        }
    }
}

/// Waits until `condition` holds; ten seconds are the end of all patience.
func eventually(_ condition: () -> Bool) async -> Bool {
    let end = ContinuousClock.now + .seconds(10)
    while !condition() {
        if ContinuousClock.now > end { return false }
        await Task.yield()
    }
    return true
}

/// Values seen, from any thread.
final class Recorder<Value: Sendable>: Sendable {
    private let state = Mutex<[Value]>([])

    func append(_ value: Value) { state.withLock { $0.append(value) } }

    var all: [Value] { state.withLock { $0 } }
}

extension UpstreamRequest.Resource {
    static func tag(_ name: String, _ tag: String) -> Self {
        guard let name = RepositoryName(parsing: name), let reference = Reference(parsing: tag)
        else { preconditionFailure("a test's own name") }
        return .manifest(name, reference)
    }

    static func layer(_ name: String) -> Self {
        let digest = "sha256:" + String(repeating: "a", count: 64)
        guard let name = RepositoryName(parsing: name), let digest = Digest(parsing: digest)
        else { preconditionFailure("a test's own name") }
        return .blob(name, digest)
    }
}

/// Runs `body` with a server that is gone afterwards.
func withServer<R>(
    host: String = "127.0.0.1", greeting: [Step] = [],
    _ handler: @escaping ScriptedServer.Handler, _ body: (ScriptedServer) async throws -> R
) async rethrows -> R {
    let server = ScriptedServer(host: host, greeting: greeting, handler)
    do {
        let result = try await body(server)
        server.stop()
        return result
    } catch {
        server.stop()
        throw error
    }
}
