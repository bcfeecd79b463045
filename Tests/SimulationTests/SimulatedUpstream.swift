import OCI
import Reactor
import Synchronization
import Upstream

/// One daemon's way to a simulated registry; breaks off for good when the daemon is killed.
///
/// Held to what `UpstreamClient` promises: the final word on one request, bodies pulled by exactly
/// one consumer, headers or an error within 15 s.
final class SimulatedUpstream: UpstreamClient {
    private static let headersBound = Duration.seconds(10)

    let registry: SimulatedRegistry
    let loop: EventLoop
    private let isCut = Flag()
    private let transfers = Mutex<(running: [Digest: Int], most: Int)>(([:], 0))

    init(_ registry: SimulatedRegistry, loop: EventLoop) {
        self.registry = registry
        self.loop = loop
    }

    /// Nothing comes from it any more.
    func cut() { isCut.set() }

    var isOver: Bool { isCut.isSet }

    /// The most transfers of one blob that ran at once.
    var transfersMost: Int { transfers.withLock { $0.most } }

    fileprivate func began(_ digest: Digest) {
        transfers.withLock { transfers in
            let count = (transfers.running[digest] ?? 0) + 1
            transfers.running[digest] = count
            transfers.most = max(transfers.most, count)
        }
    }

    fileprivate func ended(_ digest: Digest) {
        transfers.withLock { $0.running[digest, default: 1] -= 1 }
    }

    func send(_ request: UpstreamRequest) async throws(UpstreamError) -> UpstreamResponse {
        let fault = registry.drawFault()
        registry.trace.add(
            "\(registry.host) \(request.method.rawValue) \(request.text) \(fault)")
        await loop.yield()
        switch fault {
        case .slow: await loop.sleep(for: .milliseconds(registry.draw(1..<9000)))
        case .silent:
            await loop.sleep(for: Self.headersBound)
            throw .timeout(.headers)
        default: break
        }
        if isOver { throw .reset }
        switch fault {
        case .unreachable: throw .connect(host: registry.host, detail: "down")
        case .status401:
            registry.noteRefused()
            return UpstreamResponse(status: 401)
        case .status404: return notFound()
        case .status429:
            return UpstreamResponse(
                status: 429, retryAfter: .seconds(registry.draw(1..<30)))
        case .status500: return UpstreamResponse(status: 500)
        default: break
        }
        switch request.resource {
        case .manifest(let name, let reference): return manifest(request, name, reference, fault)
        case .blob(let name, let digest): return blob(request, name, digest, fault)
        default: return notFound()
        }
    }

    private func notFound() -> UpstreamResponse {
        registry.noteRefused()
        return UpstreamResponse(status: 404)
    }

    private func manifest(
        _ request: UpstreamRequest, _ name: RepositoryName, _ reference: Reference,
        _ fault: SimulatedRegistry.Fault
    ) -> UpstreamResponse {
        let digest =
            switch reference {
            case .tag(let tag):
                tag.text == registry.images.tag.text ? registry.current(name)?.manifest : nil
            case .digest(let asked): registry.has(asked, under: name) ? asked : Digest?.none
            }
        guard let digest, let bytes = registry.images.manifests[digest] else { return notFound() }
        var response = UpstreamResponse(
            status: 200, contentType: MediaType.ociManifest, contentLength: Int64(bytes.count),
            digest: digest)
        if request.method == .get {
            response.body = SimulatedBody(self, bytes[...], fault, transferOf: nil)
        }
        return response
    }

    private func blob(
        _ request: UpstreamRequest, _ name: RepositoryName, _ digest: Digest,
        _ fault: SimulatedRegistry.Fault
    ) -> UpstreamResponse {
        guard registry.has(digest, under: name), let bytes = registry.images.blobs[digest] else {
            return notFound()
        }
        let size = Int64(bytes.count)
        var response = UpstreamResponse(
            status: 200, contentType: MediaType.octetStream, contentLength: size,
            etag: "\"\(digest)\"")
        var rest = bytes[...]
        if request.offset > 0, fault != .rangeIgnored {
            guard request.offset < size else { return UpstreamResponse(status: 416) }
            let first = request.offset - (fault == .wrongRange ? 1 : 0)
            response.status = 206
            response.contentRange = .init(first: first, last: size - 1, total: size)
            response.contentLength = size - first
            rest = bytes[Int(first)...]
        }
        guard request.method == .get else { return response }
        if fault == .noLength { response.contentLength = nil }
        if fault == .wrongLength { response.contentLength = size + 1 }
        response.body = SimulatedBody(self, rest, fault, transferOf: digest)
        return response
    }
}

extension UpstreamRequest {
    /// What is asked for, in short.
    fileprivate var text: String {
        switch resource {
        case .manifest(let name, let reference): "\(name) \(reference)"
        case .blob(let name, let digest): "\(name) \(digest.hex.prefix(8)) from \(offset)"
        default: "list"
        }
    }
}

/// A body in pieces of random size, with at most one fault at a random place.
private final class SimulatedBody: UpstreamBody {
    private struct State {
        var offset: Int
        /// Whether anybody read: a body that is only looked at for its headers is no transfer.
        var hasBegun = false
        var isOver = false
    }

    private let upstream: SimulatedUpstream
    private let bytes: ArraySlice<UInt8>
    private let end: Int
    private let failure: UpstreamError?
    private let digest: Digest?
    private let state: Mutex<State>

    init(
        _ upstream: SimulatedUpstream, _ bytes: ArraySlice<UInt8>,
        _ fault: SimulatedRegistry.Fault, transferOf digest: Digest?
    ) {
        self.upstream = upstream
        self.digest = digest
        var bytes = bytes
        let place = bytes.startIndex + upstream.registry.draw(0..<max(1, bytes.count))
        if fault == .flip, !bytes.isEmpty { bytes[place] ^= 0x10 }
        self.bytes = bytes
        state = Mutex(State(offset: bytes.startIndex))
        switch fault {
        case .truncate: (end, failure) = (min(place, bytes.endIndex), .truncated)
        case .reset: (end, failure) = (min(place, bytes.endIndex), .reset)
        default: (end, failure) = (bytes.endIndex, nil)
        }
    }

    deinit { cancel() }

    func next() async throws(UpstreamError) -> Chunk? {
        let registry = upstream.registry
        noteBegun()
        await upstream.loop.yield()
        // The end is late more often: meanwhile all bytes are there, and none is proved (INT-1).
        let isAtEnd = state.withLock { $0.offset == end }
        if registry.draw(0..<(isAtEnd ? 2 : 10)) == 0 {
            await upstream.loop.sleep(for: .milliseconds(registry.draw(1..<2000)))
        }
        if upstream.isOver {
            cancel()
            throw .reset
        }
        let wanted = registry.draw(1..<150_000)
        let piece = state.withLock { state -> Range<Int>? in
            guard !state.isOver, state.offset < end else { return nil }
            let start = state.offset
            state.offset = min(end, start + wanted)
            return start..<state.offset
        }
        if let piece { return chunk(piece) }
        let wasOver = state.withLock { $0.isOver }
        cancel()
        if let failure, !wasOver { throw failure }
        return nil
    }

    private func chunk(_ range: Range<Int>) -> Chunk {
        let chunk = Chunk(capacity: range.count)
        bytes[range].withUnsafeBytes { _ = chunk.append($0) }
        return chunk
    }

    private func noteBegun() {
        let isFirst = state.withLock { state in
            defer { state.hasBegun = true }
            return !state.hasBegun && !state.isOver
        }
        if isFirst, let digest { upstream.began(digest) }
    }

    func cancel() {
        let wasRunning = state.withLock { state in
            defer { state.isOver = true }
            return state.hasBegun && !state.isOver
        }
        if wasRunning, let digest { upstream.ended(digest) }
    }
}
