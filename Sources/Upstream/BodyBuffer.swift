import Reactor

/// Received bytes that the consumer has not taken yet: full chunks and one being filled.
struct BodyBuffer {
    /// Chunks held before the transfer is paused (RES-8).
    static let chunksMax = 4

    /// The same bound in bytes: what counts, since chunks may be taken before they are full.
    static let bytesMax = chunksMax * Chunk.standardCapacity

    private var full: [Chunk] = []
    private var filling: Chunk?
    private var bytes = 0
    /// Where in a chunk the next byte would be if all were taken full.
    private var position = 0

    var isEmpty: Bool { bytes == 0 }

    /// Whether a paused transfer is worth resuming: half of the room is free again.
    var hasRoom: Bool { bytes <= Self.bytesMax / 2 }

    /// Copies all of `new`, or nothing when that would hold too much.
    ///
    /// `expected` are the bytes still to come by `Content-Length`, so that a small body does not
    /// take a whole chunk's memory.
    mutating func append(_ new: UnsafeRawBufferPointer, expected: Int64?) -> Bool {
        guard new.count <= Self.bytesMax - bytes else { return false }
        bytes += new.count
        var rest = new
        while !rest.isEmpty {
            let chunk = filling ?? Chunk(capacity: capacity(expected, atLeast: rest.count))
            let taken = chunk.append(rest)
            position = (position + taken) % Chunk.standardCapacity
            rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
            filling = chunk
            if chunk.isFull {
                full.append(chunk)
                filling = nil
            }
        }
        return true
    }

    /// The oldest chunk, full or not.
    mutating func take() -> Chunk? {
        let chunk = full.isEmpty ? filling : full.removeFirst()
        if chunk === filling { filling = nil }
        bytes -= chunk?.count ?? 0
        return chunk
    }

    /// After a chunk that was taken before it was full the next one ends where it would have ended.
    ///
    /// A file that is written in whole pieces lies in larger pieces in memory, and is sent with a
    /// tenth less CPU.
    private func capacity(_ expected: Int64?, atLeast count: Int) -> Int {
        let room = Chunk.standardCapacity - position
        guard let expected else { return room }
        return min(room, max(Int(clamping: expected), count))
    }
}
