import Glibc
import OCI
import Reactor
import Registry
import Store
import Synchronization
import Telemetry
import TestSupport
import Testing
import Upstream

/// A day without the upstream, on a clock that is moved by hand (P8, P14, UP-6, UP-8).
@Suite struct OutageTests {
    /// How the upstream is lost.
    enum Loss: CaseIterable, Sendable {
        case refuses, silent, fails, limits, mixed
    }

    /// An upstream of one image that can be lost.
    private final class LostUpstream: UpstreamClient {
        private let loop: EventLoop
        private let contents: [String: [UInt8]]
        private let tag: Digest
        private let state = Mutex<(loss: Loss?, asked: Int)>((nil, 0))

        init(_ loop: EventLoop, _ contents: [[UInt8]]) {
            self.loop = loop
            let named = contents.map { (StreamingHash.digest(of: $0, .sha256), $0) }
            self.contents = Dictionary(
                named.map { ($0.0.description, $0.1) }, uniquingKeysWith: { first, _ in first })
            tag = named[0].0
        }

        func lose(_ loss: Loss?) { state.withLock { $0.loss = loss } }
        var asked: Int { state.withLock { $0.asked } }

        func send(_ request: UpstreamRequest) async throws(UpstreamError) -> UpstreamResponse {
            let (loss, number) = state.withLock { state in
                state.asked += 1
                return (state.loss, state.asked)
            }
            guard let loss else {
                await loop.sleep(for: .milliseconds(20))
                return answer(request)
            }
            let manners: [Loss] = [.refuses, .silent, .fails]
            switch loss == .mixed ? manners[number % 3] : loss {
            case .silent:
                await loop.sleep(for: .seconds(10))
                throw .timeout(.firstByte)
            case .fails: return UpstreamResponse(status: 500)
            case .limits: return UpstreamResponse(status: 429, retryAfter: .seconds(60))
            case .refuses, .mixed: throw .connect(host: "gone", detail: "refused")
            }
        }

        private func answer(_ request: UpstreamRequest) -> UpstreamResponse {
            let digest: Digest?
            switch request.resource {
            case .manifest(_, .tag(let name)): digest = name.text.hasPrefix("v") ? tag : nil
            case .manifest(_, .digest(let asked)), .blob(_, let asked): digest = asked
            default: digest = nil
            }
            guard let digest, let bytes = contents[digest.description] else {
                return UpstreamResponse(status: 404)
            }
            var response = UpstreamResponse(
                status: 200, contentType: MediaType.ociManifest,
                contentLength: Int64(bytes.count), digest: digest)
            if request.method == .get { response.body = OneChunk(bytes) }
            return response
        }
    }

    private final class OneChunk: UpstreamBody {
        private let bytes: Mutex<[UInt8]?>
        init(_ bytes: [UInt8]) { self.bytes = Mutex(bytes) }
        func next() async throws(UpstreamError) -> Chunk? {
            bytes.withLock { bytes in
                defer { bytes = nil }
                return bytes.map { Chunk($0) }
            }
        }
        func cancel() { bytes.withLock { $0 = nil } }
    }

    /// What one request came to, and how long it took by the simulated clock.
    private struct Sight: Sendable {
        let what: String
        let end: String
        let time: Duration
    }

    @Test(arguments: Loss.allCases)
    func aDayWithoutTheUpstreamLosesNothing(loss: Loss) async throws {
        let sights = try await offThePool { try Self.day(loss) }
        let known = sights.filter { $0.what != "unknown" }
        #expect(known.count > 1000)
        let lost = known.filter { $0.end != "served" }
        #expect(lost.isEmpty, "\(loss): \(lost.prefix(3))")
        let slow = known.map(\.time).sorted()
        let p99 = slow[slow.count * 99 / 100]
        // A revalidation at the healthy upstream takes 20 ms.
        PromiseReport.add(
            "P8", "24 h simulated outage (\(loss)): cached, served of asked",
            figure: "\(known.count - lost.count) of \(known.count), p99 \(p99)",
            bound: "all, 24 ms", held: lost.isEmpty && p99 <= .milliseconds(24))
        #expect(p99 <= .milliseconds(24), "\(loss): \(p99), at most \(slow.last ?? .zero)")
        let unknown = sights.filter { $0.what == "unknown" }
        #expect(unknown.allSatisfy { $0.time <= .seconds(15) && $0.end != "served" })
        let refused = unknown.filter { $0.end == "breaker_open" || $0.end == "rate_limited" }
        #expect(refused.count > 50, "\(loss): \(refused.count) of \(unknown.count)")
        let worst = refused.map(\.time).max() ?? .zero
        PromiseReport.add(
            "P14", "24 h simulated outage (\(loss)): unknown names, breaker open",
            figure: "\(worst)", bound: "50 ms", held: worst <= .milliseconds(50))
        #expect(worst <= .milliseconds(50), "\(loss)")
    }

    /// A proxy on a simulated loop, with a store of its own.
    private struct Parts {
        let loop: EventLoop
        let store: BlobStore
        let upstream: LostUpstream
        let proxy: ProxyRepository

        init(_ root: String, _ objects: [[UInt8]], _ silent: Int32) throws {
            loop = EventLoop(simulating: 8, clock: ManualClock())
            let workers = WorkerPool(simulatedOn: loop)
            store = try BlobStore.open(
                root: root,
                limits: StoreLimits(maxSize: .bytes(64 << 20), minFree: .bytes(0)),
                workers: workers, indexThread: WorkerPool(simulatedOn: loop), clock: loop.clock)
            let content = Content(
                store: store, workers: workers, loop: loop,
                logger: Logger(format: .logfmt, level: .error, descriptor: silent))
            upstream = LostUpstream(loop, objects)
            proxy = ProxyRepository(
                Scope("p", upstream: "x"), registry: "p.example",
                policy: ProxyPolicy(tagTTL: .seconds(60)),
                upstream: GuardedUpstream(
                    BudgetedUpstream(upstream, loop: loop), loop: loop, seed: 8),
                content: content)
        }
    }

    private static func day(_ loss: Loss) throws -> [Sight] {
        let layers = (0..<3).map { [UInt8](repeating: UInt8($0 + 1), count: 2000) }
        let manifest = manifest(of: layers)
        let directory = try TemporaryDirectory()
        let silent = open("/dev/null", O_WRONLY | O_CLOEXEC)
        defer { close(silent) }
        let parts = try Parts(directory.path, [manifest] + layers, silent)
        let (loop, proxy, upstream) = (parts.loop, parts.proxy, parts.upstream)
        guard let name = RepositoryName(parsing: "library/a") else { return [] }
        let log = Mutex<[Sight]>([])
        @Sendable func look(
            _ what: String, _ body: @escaping @Sendable () async throws(RegistryError) -> Void
        ) {
            loop.spawn {
                let start = loop.now
                var end = "served"
                do throws(RegistryError) { try await body() } catch { end = error.reason }
                let sight = Sight(what: what, end: end, time: loop.now - start)
                log.withLock { $0.append(sight) }
            }
        }
        @Sendable func round(_ number: Int) {
            for version in 1...3 {
                guard let tag = Tag(parsing: "v\(version)") else { continue }
                look("tag") { () throws(RegistryError) in
                    _ = try await proxy.manifest(name, .tag(tag))
                }
            }
            look("digest") { () throws(RegistryError) in
                let digest = StreamingHash.digest(of: manifest, .sha256)
                _ = try await proxy.manifest(name, .digest(digest))
            }
            for layer in layers {
                look("blob") { () throws(RegistryError) in
                    _ = try await proxy.blob(name, StreamingHash.digest(of: layer, .sha256))
                }
            }
            guard number > 0, let tag = Tag(parsing: "unknown-\(number)") else { return }
            look("unknown") { () throws(RegistryError) in
                _ = try await proxy.manifest(name, .tag(tag))
            }
        }
        round(0)
        loop.advance(by: .seconds(120))
        log.withLock { $0.removeAll() }
        upstream.lose(loss)
        var (elapsed, number) = (Duration.zero, 0)
        // Bursts, and gaps as long as nights are.
        while elapsed < .seconds(86_400) {
            number += 1
            round(number)
            let gap: Duration = number.isMultiple(of: 40) ? .seconds(3600) : .seconds(61)
            loop.advance(by: gap)
            elapsed += gap
            for extra in 1...2 {
                round(number * 1000 + extra)
                loop.advance(by: .seconds(2))
                elapsed += .seconds(2)
            }
        }
        loop.advance(by: .seconds(60))
        loop.spawn { [store = parts.store] in await store.close() }
        loop.advance(by: .seconds(1))
        return log.withLock { $0 }
    }

    private static func manifest(of layers: [[UInt8]]) -> [UInt8] {
        func descriptor(_ bytes: [UInt8], _ type: String) -> String {
            let digest = StreamingHash.digest(of: bytes, .sha256)
            return #"{"mediaType":"\#(type)","digest":"\#(digest)","size":\#(bytes.count)}"#
        }
        let config = descriptor(layers[0], "application/vnd.oci.image.config.v1+json")
        let rest = layers.dropFirst().map { descriptor($0, MediaType.octetStream) }
        let text =
            #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociManifest)","config":\#(config),"#
            + #""layers":[\#(rest.joined(separator: ","))]}"#
        return Array(text.utf8)
    }
}
