import OCI
import Reactor
import Store
import TestSupport

/// What the registries of a simulation hold: images that share layers, all made from the seed.
struct SimulatedImages: Sendable {
    struct Image: Sendable {
        let name: RepositoryName
        let manifest: Digest
        let blobs: [Digest]
    }

    /// One registry's names, each with the images that its tag means one after the other.
    typealias Catalogue = [RepositoryName: [Image]]

    /// The one tag that all names have.
    let tag: Tag

    private(set) var catalogues: [Catalogue] = []
    private(set) var manifests: [Digest: [UInt8]] = [:]
    private(set) var blobs: [Digest: [UInt8]] = [:]
    private(set) var images: [Digest: Image] = [:]

    /// Two registries with a name in common and a layer that both have.
    init(using generator: inout Reactor.SeededGenerator) throws {
        guard let tag = Tag(parsing: "latest") else { throw TestFailure("no tag") }
        self.tag = tag
        let base = addBlob(using: &generator, size: 300_000)
        for registry in 0..<2 {
            var catalogue: Catalogue = [:]
            for index in 0..<2 {
                let text = index == 0 ? "library/both" : "library/own\(registry)"
                guard let name = RepositoryName(parsing: text) else { continue }
                catalogue[name] = versions(of: name, above: base, using: &generator)
            }
            catalogues.append(catalogue)
        }
    }

    private mutating func versions(
        of name: RepositoryName, above base: Digest, using generator: inout Reactor.SeededGenerator
    ) -> [Image] {
        var shared: [Digest] = [base]
        var versions: [Image] = []
        for _ in 0..<2 {
            let config = addBlob(
                using: &generator, size: Int.random(in: 1...600, using: &generator))
            let layer = addBlob(using: &generator, size: Self.drawSize(using: &generator))
            shared.append(layer)
            versions.append(addImage(name, config: config, layers: shared.suffix(2)))
        }
        return versions
    }

    /// Small ones are verified before they are shown, those over 256 KiB are sent as they grow.
    private static func drawSize(using generator: inout Reactor.SeededGenerator) -> Int {
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: Int.random(in: 1...20_000, using: &generator)
        case 1: Int.random(in: 100_000...262_144, using: &generator)
        default: Int.random(in: 262_145...400_000, using: &generator)
        }
    }

    private mutating func addImage(
        _ name: RepositoryName, config: Digest, layers: ArraySlice<Digest>
    ) -> Image {
        let descriptors = layers.map { descriptor(MediaType.octetStream, $0) }
        let configText = descriptor("application/vnd.oci.image.config.v1+json", config)
        let text = """
            {"schemaVersion":2,"mediaType":"\(MediaType.ociManifest)","config":\(configText),\
            "layers":[\(descriptors.joined(separator: ","))]}
            """
        let bytes = Array(text.utf8)
        let digest = StreamingHash.digest(of: bytes, .sha256)
        let image = Image(name: name, manifest: digest, blobs: [config] + layers)
        manifests[digest] = bytes
        images[digest] = image
        return image
    }

    private func descriptor(_ type: String, _ digest: Digest) -> String {
        """
        {"mediaType":"\(type)","digest":"\(digest)","size":\(blobs[digest]?.count ?? 0)}
        """
    }

    /// Bytes in which every block of 1 KiB differs from every other.
    private mutating func addBlob(using generator: inout Reactor.SeededGenerator, size: Int)
        -> Digest
    {
        let words = (0..<128).map { _ in generator.next() }
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            words.withUnsafeBytes { block in
                for start in stride(from: 0, to: size, by: block.count) {
                    let length = min(block.count, size - start)
                    let target = UnsafeMutableRawBufferPointer(
                        rebasing: UnsafeMutableRawBufferPointer(buffer)[start..<(start + length)])
                    target.copyMemory(from: UnsafeRawBufferPointer(rebasing: block[..<length]))
                    guard length >= 4 else { continue }
                    target.storeBytes(of: UInt32(start) ^ UInt32(size), as: UInt32.self)
                }
            }
            count = size
        }
        let digest = StreamingHash.digest(of: bytes, .sha256)
        blobs[digest] = bytes
        return digest
    }
}
