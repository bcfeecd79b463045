import Reactor

/// The body of a request on its way out: one chunk at a time, from its source to libcurl.
///
/// On the loop's thread only. libcurl takes from the chunk at hand; once it is empty libcurl is
/// told to wait, and whoever feeds the transfer brings the next one.
final class OutgoingBody {
    /// What libcurl gets when it asks.
    enum Given: Equatable {
        case bytes(Int)
        case end
        /// Nothing now: it is told to go on later.
        case nothingYet
    }

    let source: any UpstreamBody
    let length: Int64
    private var chunk: Chunk?
    private var offset = 0
    private var isEnded = false
    /// When bytes last went out: a request that moves is not late.
    private(set) var lastMoved: Instant

    init(_ source: any UpstreamBody, length: Int64, now: Instant) {
        self.source = source
        self.length = length
        lastMoved = now
    }

    /// Whether the next chunk is wanted.
    var isHungry: Bool { chunk == nil && !isEnded }

    /// Takes the next chunk, or the end.
    func offer(_ next: Chunk?) {
        guard let next else {
            isEnded = true
            return
        }
        guard next.count > 0 else { return }
        chunk = next
        offset = 0
    }

    /// Copies what fits.
    func take(into target: UnsafeMutableRawBufferPointer, now: Instant) -> Given {
        guard let chunk else { return isEnded ? .end : .nothingYet }
        let count = chunk.withBytes { bytes in
            let count = min(target.count, bytes.count - offset)
            target.copyBytes(
                from: UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + count)]))
            return count
        }
        offset += count
        lastMoved = now
        if offset == chunk.count { self.chunk = nil }
        return .bytes(count)
    }
}
