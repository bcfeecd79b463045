import OCI
import Store

/// SHA-256 of a blob as it comes.
final class HashBenchmark: Benchmark {
    static let name = "hash"
    static let operation = "SHA-256 of a piece of 256 KiB, in a hash of many"
    static let bytes = 256 << 10

    private let piece: [UInt8]
    private var hash = StreamingHash(.sha256)

    init(_ scratch: Scratch) {
        piece = (0..<Self.bytes).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    }

    func run() throws -> Int {
        piece.withUnsafeBytes { hash.update($0) }
        return piece.count
    }
}
