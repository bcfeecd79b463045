/// A multi-arch image made from a seed: index, manifests, configs, layers.
package struct ImageFixture: Sendable {
    /// A manifest or index with its media type.
    package struct Document: Sendable {
        package let mediaType: String
        package let content: TestContent
        package var digest: String { content.digest }

        package init(mediaType: String, content: TestContent) {
            (self.mediaType, self.content) = (mediaType, content)
        }
    }

    /// The image of one platform.
    package struct Platform: Sendable {
        package let architecture: String
        package let manifest: Document
        package let config: TestContent
        package let layers: [TestContent]
        package var blobs: [TestContent] { [config] + layers }
    }

    /// The media types of an image: OCI's or Docker's.
    package enum Flavour: Sendable { case oci, docker }

    package let index: Document
    package let platforms: [Platform]

    /// All blobs of all platforms, each once.
    package var blobs: [TestContent] {
        var seen: Set<String> = []
        return platforms.flatMap(\.blobs).filter { seen.insert($0.digest).inserted }
    }
    package var documents: [Document] { [index] + platforms.map(\.manifest) }
    /// Bytes of everything in the image.
    package var totalSize: Int64 {
        blobs.reduce(0) { $0 + $1.size } + documents.reduce(0) { $0 + $1.content.size }
    }

    /// Makes an image whose layers hold files of these sizes; equal seeds give equal images.
    package init(
        seed: UInt64, layerSizes: [Int64] = [40_000, 700_000],
        architectures: [String] = ["amd64", "arm64"], flavour: Flavour = .oci,
        busybox: [UInt8]? = nil
    ) {
        let types = MediaTypes(flavour)
        platforms = architectures.enumerated().map { number, architecture in
            var layers: [TestContent] = []
            if let busybox {
                var tar = TarArchive()
                tar.addDirectory("bin")
                tar.addFile("bin/busybox", busybox, mode: 0o755)
                layers.append(tar.content)
            }
            for (order, size) in layerSizes.enumerated() {
                var tar = TarArchive()
                tar.addDirectory("data")
                tar.addFile(
                    "data/\(architecture)-\(order).bin",
                    seed: seed &* 1000 &+ UInt64(number * 100 + order), size: size)
                layers.append(tar.content)
            }
            return Platform(architecture, seed: seed, layers, types)
        }
        let entries = platforms.map { platform in
            let descriptor = descriptor(types.manifest, platform.manifest.content)
            let place = #""platform":{"architecture":"\#(platform.architecture)","os":"linux"}"#
            return "{\(descriptor),\(place)}"
        }.joined(separator: ",")
        let json = #"{"schemaVersion":2,"mediaType":"\#(types.index)","manifests":[\#(entries)]}"#
        index = Document(mediaType: types.index, content: TestContent(json))
    }

    /// Writes the image as an OCI layout directory with one tag, for `skopeo copy oci:DIR:TAG`.
    package func writeLayout(to directory: String, tag: String) throws {
        try Files.write("\(directory)/oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
        for content in blobs + documents.map(\.content) {
            let name = content.digest.split(separator: ":").joined(separator: "/")
            try Files.write("\(directory)/blobs/\(name)", content)
        }
        let entry = descriptor(index.mediaType, index.content)
        let name = #""annotations":{"org.opencontainers.image.ref.name":"\#(tag)"}"#
        let json = #"{"schemaVersion":2,"manifests":[{\#(entry),\#(name)}]}"#
        try Files.write("\(directory)/index.json", Array(json.utf8))
    }
}

extension ImageFixture.Platform {
    fileprivate init(
        _ architecture: String, seed: UInt64, _ layers: [TestContent], _ types: MediaTypes
    ) {
        let diffs = layers.map { #""\#($0.digest)""# }.joined(separator: ",")
        let text =
            #"{"created":"2026-01-01T00:00:00Z","author":"seed \#(seed)","#
            + #""architecture":"\#(architecture)","os":"linux","#
            + #""config":{"Cmd":["/bin/busybox","sh"]},"#
            + #""rootfs":{"type":"layers","diff_ids":[\#(diffs)]}}"#
        let config = TestContent(text)
        let list = layers.map { "{\(descriptor(types.layer, $0))}" }.joined(separator: ",")
        let json =
            #"{"schemaVersion":2,"mediaType":"\#(types.manifest)","#
            + #""config":{\#(descriptor(types.config, config))},"layers":[\#(list)]}"#
        self.init(
            architecture: architecture,
            manifest: .init(mediaType: types.manifest, content: TestContent(json)),
            config: config, layers: layers)
    }
}

/// The media types of one flavour.
private struct MediaTypes {
    let index: String
    let manifest: String
    let config: String
    let layer: String

    init(_ flavour: ImageFixture.Flavour) {
        switch flavour {
        case .oci:
            index = "application/vnd.oci.image.index.v1+json"
            manifest = "application/vnd.oci.image.manifest.v1+json"
            config = "application/vnd.oci.image.config.v1+json"
            layer = "application/vnd.oci.image.layer.v1.tar"
        case .docker:
            index = "application/vnd.docker.distribution.manifest.list.v2+json"
            manifest = "application/vnd.docker.distribution.manifest.v2+json"
            config = "application/vnd.docker.container.image.v1+json"
            layer = "application/vnd.docker.image.rootfs.diff.tar"
        }
    }
}

/// The three members that every descriptor has.
private func descriptor(_ mediaType: String, _ content: TestContent) -> String {
    #""mediaType":"\#(mediaType)","digest":"\#(content.digest)","size":\#(content.size)"#
}
