import OCI
import Reactor
import Synchronization
import Upstream

/// An upstream in memory whose faults follow from a seed.
///
/// Held to what `UpstreamClient` promises: the final word on one request, bodies pulled by exactly
/// one consumer. It counts the transfers that run at once for each blob.
final class FakeUpstream: UpstreamClient {
    enum Fault: CaseIterable {
        case none, flip, truncate, reset, noLength, wrongLength, rangeIgnored, wrongRange
        case status404, status429, status500, unreachable, slow
    }

    private struct State {
        var generator: SeededGenerator
        var transfers: [Digest: Int] = [:]
        var isDown = false
        var faultShare: Double = 0
    }

    let images: SimulatedImages
    private let loop: EventLoop
    private let state: Mutex<State>
    /// The most transfers of one blob that ran at once.
    let transfersMost = Atomic<Int>(0)
    let requests = Atomic<Int>(0)

    init(_ images: SimulatedImages, loop: EventLoop, seed: UInt64) {
        self.images = images
        self.loop = loop
        state = Mutex(State(generator: SeededGenerator(seed: seed)))
    }

    func set(down: Bool, faultShare: Double) {
        state.withLock {
            $0.isDown = down
            $0.faultShare = faultShare
        }
    }

    func draw(_ range: Range<Int>) -> Int {
        state.withLock { Int.random(in: range, using: &$0.generator) }
    }

    private func drawFault() -> Fault {
        state.withLock { state in
            if state.isDown { return .unreachable }
            guard Double.random(in: 0..<1, using: &state.generator) < state.faultShare else {
                return .none
            }
            return Fault.allCases.randomElement(using: &state.generator) ?? .none
        }
    }

    func send(_ request: UpstreamRequest) async throws(UpstreamError) -> UpstreamResponse {
        requests.wrappingAdd(1, ordering: .relaxed)
        let fault = drawFault()
        await loop.yield()
        if fault == .slow { await loop.sleep(for: .milliseconds(draw(1..<5000))) }
        switch fault {
        case .unreachable: throw .connect(host: "fake", detail: "down")
        case .status404: return UpstreamResponse(status: 404)
        case .status429: return UpstreamResponse(status: 429, retryAfter: .seconds(draw(1..<30)))
        case .status500: return UpstreamResponse(status: 500)
        default: break
        }
        switch request.resource {
        case .manifest(let name, let reference): return manifest(request, name, reference, fault)
        case .blob(_, let digest): return blob(request, digest, fault)
        default: return UpstreamResponse(status: 404)
        }
    }

    private func manifest(
        _ request: UpstreamRequest, _ name: RepositoryName, _ reference: Reference, _ fault: Fault
    ) -> UpstreamResponse {
        let image = images.images.first { $0.name == name }
        let digest: Digest?
        switch reference {
        case .tag(let tag): digest = image.flatMap { $0.tag == tag ? $0.manifest : nil }
        case .digest(let asked): digest = images.manifests[asked] == nil ? nil : asked
        }
        guard let digest, let bytes = images.manifests[digest] else {
            return UpstreamResponse(status: 404)
        }
        var response = UpstreamResponse(
            status: 200, contentType: MediaType.ociManifest, contentLength: Int64(bytes.count),
            digest: digest)
        if request.method == .get { response.body = FakeBody(self, loop, bytes, fault, nil) }
        return response
    }

    private func blob(
        _ request: UpstreamRequest, _ digest: Digest, _ fault: Fault
    ) -> UpstreamResponse {
        guard let bytes = images.blobs[digest] else { return UpstreamResponse(status: 404) }
        let size = Int64(bytes.count)
        var response = UpstreamResponse(
            status: 200, contentType: MediaType.octetStream, contentLength: size,
            etag: "\"\(digest)\"")
        var rest = bytes
        if request.offset > 0, fault != .rangeIgnored {
            let first = request.offset - (fault == .wrongRange ? 1 : 0)
            response.status = 206
            response.contentRange = .init(first: first, last: size - 1, total: size)
            response.contentLength = size - first
            rest = Array(bytes[Int(first)...])
        }
        if fault == .noLength { response.contentLength = nil }
        if fault == .wrongLength { response.contentLength = size + 1 }
        guard request.method == .get else { return response }
        began(digest)
        response.body = FakeBody(self, loop, rest, fault, digest)
        return response
    }

    private func began(_ digest: Digest) {
        let count = state.withLock { state in
            state.transfers[digest, default: 0] += 1
            return state.transfers[digest, default: 0]
        }
        if count > transfersMost.load(ordering: .relaxed) {
            transfersMost.store(count, ordering: .relaxed)
        }
    }

    fileprivate func ended(_ digest: Digest) {
        state.withLock { $0.transfers[digest, default: 0] -= 1 }
    }
}

/// A body in pieces of random size, with at most one fault at a random place.
private final class FakeBody: UpstreamBody {
    private struct State {
        var offset = 0
        var isOver = false
    }

    private let upstream: FakeUpstream
    private let loop: EventLoop
    private let bytes: [UInt8]
    private let end: Int
    private let failure: UpstreamError?
    private let digest: Digest?
    private let state = Mutex(State())

    init(
        _ upstream: FakeUpstream, _ loop: EventLoop, _ bytes: [UInt8], _ fault: FakeUpstream.Fault,
        _ digest: Digest?
    ) {
        self.upstream = upstream
        self.loop = loop
        self.digest = digest
        var bytes = bytes
        let place = bytes.isEmpty ? 0 : upstream.draw(0..<bytes.count)
        if fault == .flip, !bytes.isEmpty { bytes[place] ^= 0x10 }
        self.bytes = bytes
        switch fault {
        case .truncate: (end, failure) = (place, .truncated)
        case .reset: (end, failure) = (place, .reset)
        default: (end, failure) = (bytes.count, nil)
        }
    }

    deinit { cancel() }

    func next() async throws(UpstreamError) -> Chunk? {
        await loop.yield()
        if upstream.draw(0..<10) == 0 {
            await loop.sleep(for: .milliseconds(upstream.draw(1..<2000)))
        }
        let wanted = upstream.draw(1..<200_000)
        let piece = state.withLock { state -> [UInt8]? in
            guard !state.isOver, state.offset < end else { return nil }
            let stop = min(end, state.offset + wanted)
            defer { state.offset = stop }
            return Array(bytes[state.offset..<stop])
        }
        if let piece { return Chunk(piece) }
        let wasOver = state.withLock { $0.isOver }
        cancel()
        if let failure, !wasOver { throw failure }
        return nil
    }

    func cancel() {
        let isFirst = state.withLock { state in
            defer { state.isOver = true }
            return !state.isOver
        }
        if isFirst, let digest { upstream.ended(digest) }
    }
}
