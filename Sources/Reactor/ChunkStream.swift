/// Bytes that come one chunk per call, at the pace of whoever asks.
package protocol ChunkStream: Sendable {
    /// Gives the next bytes, nil at the end; an error cuts short what is made of them.
    func next() async throws -> Chunk?

    /// Ends the source early; called at most once, when the rest will not be asked for.
    func cancel()
}
