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

/// Single pulls through Registry and Store against an upstream whose every answer is written out.
@Suite struct BlobPullTests {
    private typealias Answer = @Sendable (UpstreamRequest, EventLoop) async -> UpstreamResponse

    private static let bytes = [UInt8](repeating: 7, count: 300_000)
    private static let small = [UInt8](repeating: 9, count: 1000)

    // AUTH-1, UP-1
    @Test(arguments: UInt64(1)...6)
    func whatAnotherNameLacks_isStillFoundUnderThisOne(seed: UInt64) async throws {
        let digest = StreamingHash.digest(of: Self.bytes, .sha256)
        let names = ["evil/x", "library/good"]
        let ends = try await pull(names, digest, seed: seed) { request, loop in
            guard request.resource.repository.text == "library/good" else {
                await loop.sleep(for: .milliseconds(100))
                return UpstreamResponse(status: 404)
            }
            return Self.response(request, Self.bytes)
        }
        #expect(ends == ["not_found", "300000 bytes"])
    }

    // INT-11: the digest decides, not what some other name's manifest says of its size.
    @Test func aWrongSizeInAManifest_isTheFaultOfItsOwnName() async throws {
        let digest = StreamingHash.digest(of: Self.bytes, .sha256)
        let manifest = Array(
            """
            {"schemaVersion":2,"mediaType":"\(MediaType.ociManifest)",\
            "config":{"mediaType":"a/b","digest":"\(digest)","size":5},"layers":[]}
            """.utf8)
        let ends = try await pull(["evil/x", "library/good"], digest, manifestOf: "evil/x") {
            request, _ in
            if case .manifest = request.resource {
                return Self.response(request, manifest, type: MediaType.ociManifest)
            }
            return Self.response(request, Self.bytes)
        }
        // Its own fetch fails; the other name's, which the upstream lets it join, does not.
        #expect(ends.count == 2 && ["digest_mismatch", "300000 bytes"].contains(ends[0]))
        #expect(ends.last == "300000 bytes")
    }

    // INT-1, INT-2: also without room, and for a body whose end nobody could withhold.
    @Test(arguments: [[UInt8](repeating: 8, count: 1000), []])
    func aSmallBlobThatIsNotKept_isVerifiedBeforeItIsAnswered(wrong: [UInt8]) async throws {
        let digest = StreamingHash.digest(of: Self.small, .sha256)
        let always = try await pull(["library/good"], digest, maxSize: 1) { request, _ in
            Self.response(request, wrong)
        }
        #expect(always == ["digest_mismatch"])
        let asked = Atomic<Int>(0)
        let twice = try await pull(["library/good"], digest, maxSize: 1) { request, _ in
            let count = asked.wrappingAdd(1, ordering: .relaxed).newValue
            return Self.response(request, count < 3 ? wrong : Self.small)
        }
        #expect(twice == ["1000 bytes"])
    }

    // RES-10: what goes on without the store goes at its client's pace.
    @Test func whoGoesOnWithoutTheStore_isCountedAsPassedThrough() async throws {
        let bytes = [UInt8](repeating: 3, count: 24 << 20)
        let digest = StreamingHash.digest(of: bytes, .sha256)
        let asked = Mutex<[UpstreamRequest]>([])
        let ends = try await daemon(maxSize: 16 << 20) { request, _ in
            asked.withLock { $0.append(request) }
            var response = Self.response(request, bytes)
            response.contentLength = nil
            return response
        } use: { proxy in
            guard let name = RepositoryName(parsing: "a/a"),
                case .file(let file)? = try? await proxy.blob(name, digest).content
            else { return [] }
            file.addReader()
            defer { file.removeReader() }
            _ = await file.progress(beyond: .max)
            guard let rest = file.continuation, let stream = try? await rest.open() else {
                return []
            }
            var count = rest.offset
            while let chunk = try? await stream.next() { count += Int64(chunk.count) }
            return ["\(count) bytes"]
        }
        #expect(ends == ["\(bytes.count) bytes"])
        #expect(asked.withLock { $0.map(\.isPassThrough) } == [false, true])
    }

    // INT-4: what was sent of a body that broke off is not completed by the rest of another.
    @Test func aBodyThatBeginsOtherwiseThanOneCutBefore_isAMismatch() async throws {
        let digest = StreamingHash.digest(of: Self.bytes, .sha256)
        let isHealed = Atomic<Bool>(false)
        let ends = try await daemon { request, _ in
            var bytes = Self.bytes
            guard !isHealed.load(ordering: .relaxed) else { return Self.response(request, bytes) }
            bytes[0] ^= 1
            var response = Self.response(request, bytes)
            response.body = BytesBody(Array(bytes.prefix(200_000)))
            return request.offset > 0 ? UpstreamResponse(status: 503) : response
        } use: { proxy in
            guard let name = RepositoryName(parsing: "a/a") else { return [] }
            var ends: [String] = []
            for round in 0..<3 {
                if round == 1 { isHealed.store(true, ordering: .relaxed) }
                ends.append(await Self.read(proxy, name, digest))
                ends.append("\(Repository.proxy(proxy).hadMismatch(digest))")
            }
            return ends
        }
        #expect(ends == ["cut", "false", "cut", "true", "300000 bytes", "true"])
    }

    // INT-6
    @Test func theMediaTypeOfADigest_neverChanges() async throws {
        let manifest = Array(
            """
            {"schemaVersion":2,"config":{"mediaType":"a/b","digest":"sha256:\
            \(String(repeating: "0", count: 64))","size":5},"layers":[]}
            """.utf8)
        let types = [MediaType.ociManifest, MediaType.dockerManifest]
        let digest = StreamingHash.digest(of: manifest, .sha256)
        let seen = try await daemon { request, _ in
            let isFirst = request.resource.repository.text == "a/a"
            return Self.response(request, manifest, type: types[isFirst ? 0 : 1])
        } use: { proxy in
            var seen: [String] = []
            for text in ["a/a", "b/b", "b/b"] {
                guard let name = RepositoryName(parsing: text) else { continue }
                let answer = try? await proxy.manifest(name, .digest(digest))
                seen.append(answer?.manifest.mediaType ?? "none")
            }
            return seen
        }
        #expect(seen == [types[0], types[0], types[0]])
    }

    // MARK: - Parts

    private static func response(
        _ request: UpstreamRequest, _ bytes: [UInt8], type: String = MediaType.octetStream
    ) -> UpstreamResponse {
        UpstreamResponse(
            status: 200, contentType: type, contentLength: Int64(bytes.count),
            body: request.method == .get ? BytesBody(bytes) : EmptyBody())
    }

    /// Pulls the blob under each of the names at once and says how that ended.
    private func pull(
        _ names: [String], _ digest: Digest, manifestOf described: String? = nil,
        maxSize: Int64 = 64 << 20, seed: UInt64 = 1, _ answer: @escaping Answer
    ) async throws -> [String] {
        try await daemon(maxSize: maxSize, seed: seed, answer) { proxy in
            if let name = described.flatMap({ RepositoryName(parsing: $0) }),
                let tag = Tag(parsing: "latest")
            {
                _ = try? await proxy.manifest(name, .tag(tag))
            }
            return await withTaskGroup(of: (Int, String).self) { group in
                for (index, text) in names.enumerated() {
                    guard let name = RepositoryName(parsing: text) else { continue }
                    group.addTask { (index, await Self.read(proxy, name, digest)) }
                }
                var ends = names
                for await (index, end) in group { ends[index] = end }
                return ends
            }
        }
    }

    private static func read(
        _ proxy: ProxyRepository, _ name: RepositoryName, _ digest: Digest
    ) async -> String {
        do throws(RegistryError) {
            switch try await proxy.blob(name, digest).content {
            case .file(let file):
                while file.progress.phase == .growing {
                    _ = await file.progress(beyond: file.progress.written)
                }
                return file.progress.phase == .complete ? "\(file.progress.written) bytes" : "cut"
            case .stream(let stream):
                var count = 0
                while let chunk = try await stream.next() { count += chunk.count }
                return "\(count) bytes"
            }
        } catch {
            return error.reason
        }
    }

    /// Runs `use` on a simulated loop with a proxy that asks `answer`.
    private func daemon(
        maxSize: Int64 = 64 << 20, seed: UInt64 = 1, _ answer: @escaping Answer,
        use: @escaping @Sendable (ProxyRepository) async -> [String]
    ) async throws -> [String] {
        try await offThePool {
            let directory = try TemporaryDirectory()
            let clock = ManualClock()
            let loop = EventLoop(simulating: seed, clock: clock)
            let workers = WorkerPool(simulatedOn: loop)
            let store = try BlobStore.open(
                root: directory.path,
                limits: StoreLimits(maxSize: .bytes(maxSize), minFree: .bytes(0)),
                workers: workers, indexThread: WorkerPool(simulatedOn: loop),
                clock: .manual(clock))
            let silent = open("/dev/null", O_WRONLY | O_CLOEXEC)
            let content = Content(
                store: store, workers: workers, loop: loop,
                logger: Logger(format: .logfmt, level: .error, descriptor: silent))
            let proxy = ProxyRepository(
                Scope("p", upstream: "x"), registry: "p.example", policy: ProxyPolicy(),
                upstream: WrittenUpstream(loop: loop, answer: answer), content: content)
            let result = Mutex<[String]>([])
            loop.spawn {
                let ends = await use(proxy)
                result.withLock { $0 = ends }
            }
            loop.advance(by: .seconds(20))
            loop.spawn { await store.close() }
            loop.advance(by: .seconds(1))
            return result.withLock { $0 }
        }
    }

    private struct WrittenUpstream: UpstreamClient {
        let loop: EventLoop
        let answer: Answer

        func send(_ request: UpstreamRequest) async throws(UpstreamError) -> UpstreamResponse {
            await answer(request, loop)
        }
    }
}

/// A body of given bytes, in pieces.
final class BytesBody: UpstreamBody {
    private let rest: Mutex<ArraySlice<UInt8>>

    init(_ bytes: [UInt8]) {
        rest = Mutex(bytes[...])
    }

    func next() async throws(UpstreamError) -> Chunk? {
        rest.withLock { rest in
            guard !rest.isEmpty else { return nil }
            defer { rest = rest.dropFirst(100_000) }
            return Chunk(Array(rest.prefix(100_000)))
        }
    }

    func cancel() {
        rest.withLock { $0 = [] }
    }
}
