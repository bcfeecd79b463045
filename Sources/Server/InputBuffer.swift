/// Received bytes that are not parsed yet; holds no memory while it is empty.
///
/// An idle connection thereby costs no buffer. Not Sendable: it lives on its connection's loop.
final class InputBuffer {
    private let pool: BlockPool
    private let bytesMax: Int
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var start = 0
    private var end = 0

    /// `bytesMax` is what is kept at most, pipelined requests included (RES-1).
    init(pool: BlockPool, bytesMax: Int) {
        self.pool = pool
        self.bytesMax = max(bytesMax, BlockPool.blockBytes)
    }

    deinit {
        giveBack()
    }

    var count: Int { end - start }
    var isEmpty: Bool { end == start }
    /// Whether nothing more can be received before something is consumed.
    var isFull: Bool { count >= bytesMax }

    /// The bytes, valid during the call only.
    func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try body(UnsafeRawBufferPointer(rebasing: memory[start..<end]))
    }

    /// Lets `receive` write behind the bytes and counts what it says it wrote.
    func append<E: Error>(
        _ receive: (UnsafeMutableRawBufferPointer) throws(E) -> Int
    ) throws(E) -> (received: Int, room: Int) {
        makeRoom()
        let room = UnsafeMutableRawBufferPointer(rebasing: memory[end...])
        let received = try receive(room)
        end += min(received, room.count)
        return (received, room.count)
    }

    func consume(_ consumed: Int) {
        start += min(consumed, count)
        if isEmpty {
            start = 0
            end = 0
        }
    }

    /// Takes more memory at a time, for a body; given back when nothing is in it.
    func widen(to bytes: Int) {
        guard isEmpty, memory.count < bytes else { return }
        giveBack()
        memory = .allocate(byteCount: bytes, alignment: 16)
    }

    /// Gives the memory back if nothing is in it.
    func releaseIfEmpty() {
        guard isEmpty, memory.count > 0 else { return }
        giveBack()
    }

    private func giveBack() {
        if memory.count == BlockPool.blockBytes { pool.give(memory) } else { memory.deallocate() }
        memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        start = 0
        end = 0
    }

    /// Takes memory, moves the bytes to its front, or takes four times as much.
    private func makeRoom() {
        if memory.count == 0 {
            memory = pool.take()
            return
        }
        guard end == memory.count else { return }
        if start > 0 {
            // Defined for overlapping regions.
            memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[start..<end]))
            end -= start
            start = 0
            return
        }
        guard memory.count < bytesMax else { return }
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: min(memory.count * 4, bytesMax), alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[..<end]))
        let kept = end
        giveBack()
        memory = larger
        end = kept
    }
}

/// Equal blocks of memory that connections of one loop take turns with.
final class BlockPool {
    /// A usual request of any client fits in.
    static let blockBytes = 8 << 10
    private static let blocksMax = 64

    private var blocks: [UnsafeMutableRawBufferPointer] = []

    deinit {
        for block in blocks { block.deallocate() }
    }

    func take() -> UnsafeMutableRawBufferPointer {
        blocks.popLast() ?? .allocate(byteCount: Self.blockBytes, alignment: 16)
    }

    func give(_ block: UnsafeMutableRawBufferPointer) {
        if blocks.count < Self.blocksMax { blocks.append(block) } else { block.deallocate() }
    }
}
