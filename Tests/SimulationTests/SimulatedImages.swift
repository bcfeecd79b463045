import OCI
import Reactor
import Store

/// An upstream's content in a simulation: images that share layers, all made from the seed.
struct SimulatedImages: Sendable {
    struct Image: Sendable {
        let name: RepositoryName
        let tag: Tag
        let manifest: Digest
        let blobs: [Digest]
    }

    private(set) var images: [Image] = []
    private(set) var manifests: [Digest: [UInt8]] = [:]
    private(set) var blobs: [Digest: [UInt8]] = [:]

    init(count: Int, using generator: inout SeededGenerator) {
        var shared: [Digest] = []
        for _ in 0..<3 { shared.append(addBlob(using: &generator)) }
        for index in 0..<count {
            var layers = [shared[index % shared.count]]
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                layers.append(addBlob(using: &generator))
            }
            let config = addBlob(using: &generator, size: 300)
            add(index, config: config, layers: layers)
        }
    }

    private mutating func add(_ index: Int, config: Digest, layers: [Digest]) {
        guard let name = RepositoryName(parsing: "library/image\(index)"),
            let tag = Tag(parsing: "latest")
        else { return }
        let descriptors = layers.map { descriptor(MediaType.octetStream, $0) }
        let configText = descriptor("application/vnd.oci.image.config.v1+json", config)
        let text = """
            {"schemaVersion":2,"mediaType":"\(MediaType.ociManifest)","config":\(configText),\
            "layers":[\(descriptors.joined(separator: ","))]}
            """
        let bytes = Array(text.utf8)
        let digest = StreamingHash.digest(of: bytes, .sha256)
        manifests[digest] = bytes
        images.append(
            Image(name: name, tag: tag, manifest: digest, blobs: [config] + layers))
    }

    private func descriptor(_ type: String, _ digest: Digest) -> String {
        """
        {"mediaType":"\(type)","digest":"\(digest)","size":\(blobs[digest]?.count ?? 0)}
        """
    }

    private mutating func addBlob(
        using generator: inout SeededGenerator, size: Int? = nil
    ) -> Digest {
        let count = size ?? Int.random(in: 1000...900_000, using: &generator)
        var bytes = [UInt8](repeating: 0, count: count)
        var word: UInt64 = 0
        for index in 0..<count {
            if index % 8 == 0 { word = generator.next() }
            bytes[index] = UInt8(truncatingIfNeeded: word >> UInt64(index % 8 * 8))
        }
        let digest = StreamingHash.digest(of: bytes, .sha256)
        blobs[digest] = bytes
        return digest
    }
}
