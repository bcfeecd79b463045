import OCI
import Reactor
import Upstream

/// One image on its way: a tag or digest, everything below it, and whatever refers to it.
///
/// Blobs go before the manifest that names them and the manifests of an index before the index, so
/// that a tag never shows half an image; what refers to a manifest comes after it.
struct ImageCopier: Sendable {
    /// Manifests of one image, referrers included.
    static let manifestsMax = 10_000
    /// Indexes in indexes, referrers of referrers.
    private static let depthMax = 8

    let blobs: BlobCopier
    let pacer: Pacer
    let scoreboard: Scoreboard
    /// `os/architecture[/variant]`: of an index only this platform's image.
    var platform: String?
    /// Tags that are there already stay as they are.
    var keepsTags = false

    var destination: RemoteRegistry { blobs.destination }

    /// What became of an image.
    enum Outcome: Sendable {
        case copied(Digest)
        /// It was there already, all of it.
        case present(Digest)
        /// Another image has the tag, and `keepsTags` says to leave it.
        case left
    }

    /// Copies one.
    ///
    /// `isKnown` says whether an earlier run has brought all of this digest: then only what refers
    /// to it and to its parts is looked for.
    func copy(
        _ item: ImageItem, isKnown: (Digest) -> Bool
    ) async throws(CopyFailure) -> Outcome {
        let present = try await pacer.attempt { () throws(CopyFailure) in
            try await destination.digest(item.target, item.targetReference)
        }
        let hasTag = item.targetReference.tag != nil
        if let present, keepsTags, hasTag, try await !isCurrent(item, present) { return .left }
        if let present, platform == nil, isKnown(present), try await isCurrent(item, present) {
            var walk = Walk(item)
            try await copyNewReferrers(of: present, &walk)
            return walk.didPush ? .copied(present) : .present(present)
        }
        var walk = Walk(item)
        let document = try await resolve(item)
        try Self.check(item, document.digest)
        try await bring(document, &walk, depth: 0)
        try await push(
            document, as: item.targetReference.tag, &walk, isThere: present == document.digest)
        try await copyReferrers(of: document.digest, &walk)
        return walk.didPush || present != document.digest
            ? .copied(document.digest) : .present(document.digest)
    }

    /// Under a digest there is only what has it.
    private static func check(_ item: ImageItem, _ digest: Digest) throws(CopyFailure) {
        guard let wanted = item.targetReference.digest, wanted != digest else { return }
        throw CopyFailure(
            .destination, "",
            .local(
                "\(item.name) \(item.reference) is \(digest), so it cannot become \(wanted)",
                fix: "leave the digest out of the image's new name"))
    }

    /// Whether the source still says the same.
    private func isCurrent(_ item: ImageItem, _ digest: Digest) async throws(CopyFailure) -> Bool {
        let found = try await pacer.attempt { () throws(CopyFailure) in
            try await item.source.digest(item.name, item.reference)
        }
        return found == digest
    }

    /// The manifest that is meant: of an index that of the platform, if one is asked for.
    private func resolve(
        _ item: ImageItem
    ) async throws(CopyFailure) -> RemoteRegistry.Document {
        let document = try await document(item.reference, item)
        guard let platform, document.manifest.kind == .index else { return document }
        let wanted = document.manifest.children.first { child in
            child.platform == platform || child.platform?.hasPrefix("\(platform)/") == true
        }
        guard let wanted else {
            let there = document.manifest.children.compactMap(\.platform)
            throw CopyFailure(
                .source, "\(item.name) \(item.reference)",
                .local(
                    "it has no image for \(platform)",
                    fix: "one of " + there.map { ErrorAnswer.shown($0) }.joined(separator: ", ")))
        }
        return try await self.document(.digest(wanted.digest), item)
    }

    func document(
        _ reference: Reference, _ item: ImageItem
    ) async throws(CopyFailure) -> RemoteRegistry.Document {
        try await pacer.attempt { () throws(CopyFailure) in
            try await item.source.document(item.name, reference)
        }
    }

    // MARK: - Down

    /// What one image's walk has seen and done.
    struct Walk {
        let item: ImageItem
        var seen: Set<Digest> = []
        var didPush = false
        var descriptors: [Digest: Descriptor] = [:]

        init(_ item: ImageItem) {
            self.item = item
        }

        /// Whether a manifest is seen for the first time.
        mutating func enter(_ digest: Digest, depth: Int) throws(CopyFailure) -> Bool {
            guard depth <= ImageCopier.depthMax, seen.count < ImageCopier.manifestsMax else {
                throw CopyFailure(
                    .source, "\(item.name) \(item.reference)",
                    .bound(
                        "more than \(ImageCopier.manifestsMax) manifests, or deeper than "
                            + "\(ImageCopier.depthMax)"))
            }
            return seen.insert(digest).inserted
        }
    }

    /// Brings everything that a manifest names.
    func bring(
        _ document: RemoteRegistry.Document, _ walk: inout Walk, depth: Int
    ) async throws(CopyFailure) {
        guard try walk.enter(document.digest, depth: depth) else { return }
        let children = document.manifest.children
        if document.manifest.kind == .index {
            for child in children where Self.isManifest(child) {
                try await bringManifest(child.digest, &walk, depth: depth + 1)
            }
            // The caches of BuildKit are indexes of layers.
            try await copyBlobs(children.filter { !Self.isManifest($0) }, walk.item)
        } else {
            try await copyBlobs(children, walk.item)
        }
    }

    /// Brings a manifest by its digest with all that it names and all that refers to it.
    func bringManifest(
        _ digest: Digest, _ walk: inout Walk, depth: Int
    ) async throws(CopyFailure) {
        guard !walk.seen.contains(digest) else { return }
        let document = try await document(.digest(digest), walk.item)
        try await bring(document, &walk, depth: depth)
        let target = walk.item.target
        let present = try await pacer.attempt { () throws(CopyFailure) in
            try await destination.digest(target, .digest(digest))
        }
        try await push(document, as: nil, &walk, isThere: present != nil)
        try await copyReferrers(of: digest, &walk, depth: depth)
    }

    func push(
        _ document: RemoteRegistry.Document, as tag: Tag?, _ walk: inout Walk, isThere: Bool
    ) async throws(CopyFailure) {
        let target = walk.item.target
        guard !isThere else { return try await listIfNeeded(document, target) }
        let isListed = try await pacer.attempt { () throws(CopyFailure) in
            try await destination.put(document, target, as: tag)
        }
        walk.didPush = true
        scoreboard.moved(document.bytes.count, of: walk.item)
        if !isListed, let subject = document.manifest.subject {
            try await listByTag(document, subject, target)
        }
    }

    static func isManifest(_ descriptor: Descriptor) -> Bool {
        switch descriptor.mediaType {
        case MediaType.ociIndex, MediaType.ociManifest, MediaType.dockerList,
            MediaType.dockerManifest, MediaType.ociArtifact, MediaType.dockerSchema1,
            MediaType.dockerSchema1Signed:
            true
        default: false
        }
    }

    static func isIndex(_ descriptor: Descriptor) -> Bool {
        [MediaType.ociIndex, MediaType.dockerList].contains(descriptor.mediaType)
    }

    /// Brings blobs, several at a time; the first failure is told when all have ended.
    private func copyBlobs(
        _ children: [Descriptor], _ item: ImageItem
    ) async throws(CopyFailure) {
        let failures = await withTaskGroup(of: CopyFailure?.self) { group in
            for child in children {
                group.addTask {
                    do throws(CopyFailure) {
                        try await blobs.copy(child, of: item)
                        return nil
                    } catch {
                        // Layers that lie elsewhere by right need not be in a registry.
                        return child.hasURLs && error.isMissing ? nil : error
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        if let failure = failures.compactMap({ $0 }).first { throw failure }
    }
}
