import Glibc

/// The bytes of a blob or manifest, made on the fly so that a gigabyte costs no memory.
///
/// Generated parts repeat one random megabyte, each repetition stamped with its seed and
/// number, so that any offset can be produced and checked without the bytes before it.
package final class TestContent: Sendable {
    /// A run of bytes that is either held or generated.
    package enum Segment: Sendable {
        case bytes([UInt8])
        case generated(seed: UInt64, size: Int64)

        var size: Int64 {
            switch self {
            case .bytes(let bytes): Int64(bytes.count)
            case .generated(_, let size): size
            }
        }
    }

    package let size: Int64
    private let segments: [(start: Int64, segment: Segment)]
    private let digests = Monitor<[MessageDigest.Algorithm: String]>([:])

    package init(_ segments: [Segment]) {
        var start: Int64 = 0
        var placed: [(Int64, Segment)] = []
        for segment in segments {
            placed.append((start, segment))
            start += segment.size
        }
        self.segments = placed
        size = start
    }

    /// Content of `size` bytes that differs for each seed.
    package convenience init(seed: UInt64, size: Int64) {
        self.init([.generated(seed: seed, size: size)])
    }

    package convenience init(_ bytes: [UInt8]) { self.init([.bytes(bytes)]) }

    package convenience init(_ text: String) { self.init(Array(text.utf8)) }

    /// The SHA-256 digest, computed once.
    package var digest: String { digest(.sha256) }

    /// The digest by an algorithm, computed once.
    package func digest(_ algorithm: MessageDigest.Algorithm) -> String {
        digests.with { known in
            if let digest = known[algorithm] { return digest }
            let hash = MessageDigest(algorithm)
            forEachPiece(in: 0..<size) { hash.update($0) }
            let digest = hash.finish()
            known[algorithm] = digest
            return digest
        }
    }

    /// All bytes at once; for small content.
    package var bytes: [UInt8] { bytes(in: 0..<size) }

    package func bytes(in range: Range<Int64>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(Int(range.count))
        forEachPiece(in: range) { result.append(contentsOf: $0) }
        return result
    }

    /// Visits the bytes of a range in order, in pieces of at most a megabyte.
    package func forEachPiece(
        in range: Range<Int64>, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) rethrows {
        for (start, segment) in segments {
            let from = max(range.lowerBound, start)
            let to = min(range.upperBound, start + segment.size)
            if from >= to { continue }
            switch segment {
            case .bytes(let bytes):
                try bytes[Int(from - start)..<Int(to - start)].withUnsafeBytes(body)
            case .generated(let seed, _):
                try Pattern.forEachPiece(seed: seed, from: from - start, to: to - start, body)
            }
        }
    }

    /// Whether `bytes` are exactly what stands at `offset`.
    package func matches(_ bytes: UnsafeRawBufferPointer, at offset: Int64) -> Bool {
        guard offset + Int64(bytes.count) <= size else { return false }
        var position = 0
        var same = true
        forEachPiece(in: offset..<(offset + Int64(bytes.count))) { piece in
            if same, let left = piece.baseAddress, let right = bytes.baseAddress {
                same = memcmp(left, right.advanced(by: position), piece.count) == 0
            }
            position += piece.count
        }
        return same
    }
}

/// The random megabyte that all generated content repeats, and the stamps that tell it apart.
private enum Pattern {
    static let blockSize = 1 << 20
    static let stampSize = 16

    static let block: [UInt8] = {
        var generator = SeededGenerator(seed: 0x5EED)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(blockSize)
        while bytes.count < blockSize {
            withUnsafeBytes(of: generator.next()) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }()

    static func forEachPiece(
        seed: UInt64, from: Int64, to: Int64, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) rethrows {
        var offset = from
        while offset < to {
            let number = UInt64(offset) / UInt64(blockSize)
            let within = Int(offset % Int64(blockSize))
            let end = within < stampSize ? stampSize : blockSize
            let count = min(Int64(end - within), to - offset)
            if within < stampSize {
                var mixer = SeededGenerator(seed: seed &+ number &* 0x1_0001)
                try withUnsafeBytes(of: (mixer.next(), seed ^ number)) { stamp in
                    try body(UnsafeRawBufferPointer(rebasing: stamp[within..<within + Int(count)]))
                }
            } else {
                try block.withUnsafeBytes { bytes in
                    try body(UnsafeRawBufferPointer(rebasing: bytes[within..<within + Int(count)]))
                }
            }
            offset += count
        }
    }
}
