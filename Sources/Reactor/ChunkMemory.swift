import Synchronization

/// Memory of large chunks, used again: new pages would be cleared and mapped for each of them.
enum ChunkMemory {
    /// What is kept when nobody needs it, 1.5 MiB: what one transfer has in hand.
    static let keptMax = 6
    /// Smaller chunks are seldom, and not worth a large one's memory.
    private static let pooledMin = Chunk.standardCapacity / 2

    /// Addresses: pointers are nobody's to share, these belong to whoever takes them out.
    private static let kept = Mutex<[UInt]>([])

    static func take(_ capacity: Int) -> UnsafeMutableRawBufferPointer {
        guard isPooled(capacity) else {
            return .allocate(byteCount: capacity, alignment: alignment)
        }
        let address = kept.withLock { $0.popLast() }
        let start =
            address.flatMap { UnsafeMutableRawPointer(bitPattern: $0) }
            ?? .allocate(byteCount: Chunk.standardCapacity, alignment: alignment)
        return UnsafeMutableRawBufferPointer(start: start, count: capacity)
    }

    static func giveBack(_ memory: UnsafeMutableRawBufferPointer) {
        let address = UInt(bitPattern: memory.baseAddress)
        let isKept = kept.withLock { kept in
            guard isPooled(memory.count), kept.count < keptMax else { return false }
            kept.append(address)
            return true
        }
        if !isKept { memory.deallocate() }
    }

    private static let alignment = 64

    private static func isPooled(_ capacity: Int) -> Bool {
        capacity >= pooledMin && capacity <= Chunk.standardCapacity
    }
}
