package import Reactor

/// One upstream registry as the rest of Cistern sees it.
///
/// The seam where tests put a fake. Behind it redirects, tokens and connection reuse are dealt
/// with: what comes back is the registry's final word on one request.
package protocol UpstreamClient: Sendable {
    /// Sends one request and returns once the final response's headers are here.
    ///
    /// Never retries a failure and never caches content. Throws when there is no final response
    /// within `Timeouts.headers` (UP-2), or when one arrives that may not be used.
    func send(_ request: UpstreamRequest) async throws(UpstreamError) -> UpstreamResponse
}

/// The body of a response, taken one chunk at a time by exactly one consumer.
///
/// A consumer that does not call `next()` pauses the transfer: at most a few chunks are held.
/// Dropping the last reference cancels what has not arrived yet.
package protocol UpstreamBody: Sendable {
    /// The next bytes, or nil after the last.
    ///
    /// Returns what is there as soon as anything is, full chunks when the consumer lags behind.
    /// nil means that the message was complete by its own framing; it says nothing about the
    /// digest. After nil or an error every further call answers the same.
    func next() async throws(UpstreamError) -> Chunk?

    /// Stops the transfer; harmless when it is over. May be called from any thread.
    func cancel()
}

extension UpstreamBody {
    /// The whole body in memory, for manifests, token answers and error texts.
    ///
    /// `limit` is the largest body accepted, in bytes (RES-2): more throws `tooLarge` after at most
    /// one chunk too many was received, and cancels the transfer.
    package func collect(limit: Int) async throws(UpstreamError) -> [UInt8] {
        var bytes: [UInt8] = []
        while let chunk = try await next() {
            guard chunk.count <= limit - bytes.count else {
                cancel()
                throw .tooLarge(limit: limit)
            }
            chunk.withBytes { bytes.append(contentsOf: $0) }
        }
        return bytes
    }
}

/// A body of no bytes, for HEAD and for fakes.
package struct EmptyBody: UpstreamBody {
    package init() {}

    /// Always nil.
    package func next() async throws(UpstreamError) -> Chunk? { nil }

    /// Does nothing.
    package func cancel() {}
}
