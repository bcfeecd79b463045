import OCI
import Reactor

@testable import Store

/// What a workload stores: blobs, and manifests that name some of them.
struct Stock: Sendable {
    struct Item: Sendable {
        let bytes: [UInt8]
        let digest: Digest
    }

    let blobs: [Item]
    let manifests: [Item]
    let byDigest: [Digest: [UInt8]]

    init(seed: UInt64) {
        var generator = Reactor.SeededGenerator(seed: seed)
        func item(_ size: Int) -> Item {
            let words = (0..<(size / 8 + 1)).map { _ in generator.next() }
            let bytes = words.withUnsafeBytes { Array($0.prefix(size)) }
            return Item(bytes: bytes, digest: StreamingHash.digest(of: bytes, .sha256))
        }
        // Around a block, a sector and nothing, and some of several pieces.
        let sizes = [0, 1, 511, 512, 4095, 4096, 4097, 9000, 20_000, 33_000, 50_000, 70_000]
        blobs = sizes.map { item($0) } + (0..<4).map { _ in item(90_000) }
        manifests = (0..<5).map { _ in item(700) }
        byDigest = Dictionary(
            (blobs + manifests).map { ($0.digest, $0.bytes) },
            uniquingKeysWith: { first, _ in first
            })
    }

    /// The layers of a manifest: some are shared.
    func layers(of manifest: Int) -> [Item] {
        (0..<3).map { blobs[(manifest * 2 + $0) % blobs.count] }
    }
}
