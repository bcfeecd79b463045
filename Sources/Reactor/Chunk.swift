/// Up to 256 KiB of bytes on their way from an upstream to the store.
///
/// `@unchecked Sendable`: one producer appends; once it hands the chunk on it never touches it
/// again, and everyone after that only reads.
package final class Chunk: @unchecked Sendable {
    /// Large enough that hashing and writing cost little per byte (measured: prototypes §4).
    package static let standardCapacity = 256 << 10

    private let memory: UnsafeMutableRawBufferPointer
    package private(set) var count = 0

    package init(capacity: Int = Chunk.standardCapacity) {
        memory = ChunkMemory.take(max(capacity, 1))
    }

    /// A chunk that holds exactly `bytes`.
    package convenience init(_ bytes: [UInt8]) {
        self.init(capacity: bytes.count)
        _ = bytes.withUnsafeBytes { append($0) }
    }

    deinit {
        ChunkMemory.giveBack(memory)
    }

    package var capacity: Int { memory.count }
    package var isFull: Bool { count == memory.count }

    /// Takes as much of `bytes` as there is room for and says how much that was.
    package func append(_ bytes: UnsafeRawBufferPointer) -> Int {
        let taken = min(bytes.count, memory.count - count)
        guard taken > 0 else { return 0 }
        UnsafeMutableRawBufferPointer(rebasing: memory[count..<(count + taken)])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<taken]))
        count += taken
        return taken
    }

    /// Gives the bytes for the duration of `body`.
    package func withBytes<R, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try body(UnsafeRawBufferPointer(rebasing: memory[..<count]))
    }

    /// A copy of the bytes.
    package var bytes: [UInt8] { withBytes { Array($0) } }

    /// A copy of a part, which must lie inside.
    package func slice(_ range: Range<Int>) -> Chunk {
        let part = Chunk(capacity: range.count)
        _ = part.append(UnsafeRawBufferPointer(rebasing: memory[range]))
        return part
    }

    /// Drops the first `count` bytes, for a resumed transfer that repeats what is already stored.
    package func dropFirst(_ dropped: Int) {
        let kept = max(0, count - dropped)
        guard dropped > 0 else { return }
        memory.copyBytes(from: memory[(count - kept)..<count])
        count = kept
    }
}
