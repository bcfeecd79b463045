import Reactor
import Synchronization

/// The body of a running transfer, as a ticket to it: the bytes stay with the upstream's loop.
final class CurlBody: UpstreamBody {
    private let upstream: CurlUpstream
    private let id: UInt64
    /// Whether the transfer has been told that nobody will ask any more.
    private let isDropped = Atomic(false)

    init(_ upstream: CurlUpstream, id: UInt64) {
        self.upstream = upstream
        self.id = id
    }

    deinit {
        drop()
    }

    func next() async throws(UpstreamError) -> Chunk? {
        try await upstream.nextChunk(of: id).get()
    }

    func cancel() {
        drop()
    }

    private func drop() {
        guard !isDropped.exchange(true, ordering: .relaxed) else { return }
        upstream.loop.spawn { [upstream, id] in await upstream.drop(id) }
    }
}
