import Testing

@testable import Reactor

@Suite struct ChunkTests {
    /// More than are kept, so that some are new and some are used again.
    @Test func memoryThatIsUsedAgainIsNobodyElsesAndStartsEmpty() {
        for round in 0..<3 {
            let chunks = (0..<(2 * ChunkMemory.keptMax)).map { number in
                // Of all sizes that share memory, and some that do not.
                let chunk = Chunk(capacity: Chunk.standardCapacity / (1 + number % 4))
                #expect(chunk.count == 0)
                let bytes = [UInt8](repeating: UInt8(number + round), count: chunk.capacity + 1)
                #expect(bytes.withUnsafeBytes { chunk.append($0) } == chunk.capacity)
                #expect(chunk.isFull)
                return chunk
            }
            for (number, chunk) in chunks.enumerated() {
                #expect(chunk.withBytes { $0.allSatisfy { $0 == UInt8(number + round) } })
            }
        }
    }
}
