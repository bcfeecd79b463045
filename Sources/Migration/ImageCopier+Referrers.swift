import OCI
import Reactor

/// What refers to an image: brought after it, by the API or the tags that stand for it.
extension ImageCopier {
    /// Brings what the referrers API lists for a manifest.
    ///
    /// What registries without it keep under a tag of the digest is copied as the tag that it is.
    func copyReferrers(
        of digest: Digest, _ walk: inout Walk, depth: Int = 0
    ) async throws(CopyFailure) {
        let item = walk.item
        let listed = try await pacer.attempt { () throws(CopyFailure) in
            try await item.source.referrers(item.name, digest)
        }
        guard let listed else {
            try await copyReferrersTag(of: digest, &walk, depth: depth)
            return
        }
        for descriptor in listed {
            try await bringManifest(descriptor.digest, &walk, depth: depth + 1)
        }
    }

    private func copyReferrersTag(
        of digest: Digest, _ walk: inout Walk, depth: Int
    ) async throws(CopyFailure) {
        let item = walk.item
        // With all tags of the name it comes anyway.
        guard !item.isOfWholeName else { return }
        let tag = Reference.tag(digest.referrersTag)
        let found = try await pacer.attempt { () throws(CopyFailure) in
            try await item.source.digest(item.name, tag)
        }
        guard let found, !walk.seen.contains(found) else { return }
        let document = try await document(tag, item)
        try await bring(document, &walk, depth: depth + 1)
        let present = try await pacer.attempt { () throws(CopyFailure) in
            try await destination.digest(item.target, tag)
        }
        if present != document.digest {
            try await push(document, as: digest.referrersTag, &walk, isThere: false)
        }
    }

    /// What refers to an image that is there, or to a manifest of its index, and came later.
    func copyNewReferrers(
        of digest: Digest, _ walk: inout Walk, depth: Int = 0
    ) async throws(CopyFailure) {
        let item = walk.item
        guard try walk.enter(digest, depth: depth) else { return }
        try await copyReferrers(of: digest, &walk, depth: depth)
        // Without the API all of it comes with the tags of the name.
        if item.isOfWholeName, await item.source.hasReferrers == false { return }
        // The destination has it as well, and counts no pulls.
        let document = try await pacer.attempt { () throws(CopyFailure) in
            try await destination.document(item.target, .digest(digest))
        }
        guard document.manifest.kind == .index else { return }
        for child in document.manifest.children where Self.isManifest(child) {
            if Self.isIndex(child) {
                try await copyNewReferrers(of: child.digest, &walk, depth: depth + 1)
            } else if try walk.enter(child.digest, depth: depth + 1) {
                try await copyReferrers(of: child.digest, &walk, depth: depth + 1)
            }
        }
    }

    /// Lists a manifest that is there already: a run before may have ended between the two.
    func listIfNeeded(
        _ document: RemoteRegistry.Document, _ name: RepositoryName
    ) async throws(CopyFailure) {
        guard let subject = document.manifest.subject else { return }
        let isListed = try await pacer.attempt { () throws(CopyFailure) in
            try await destination.listsReferrers(name, subject)
        }
        if !isListed { try await listByTag(document, subject, name) }
    }

    /// Adds a manifest to the list under its subject's tag, for a destination without the API
    /// (distribution-spec, "Pushing Manifests with Subject").
    func listByTag(
        _ document: RemoteRegistry.Document, _ subject: Digest, _ name: RepositoryName
    ) async throws(CopyFailure) {
        let entry = Descriptor(
            mediaType: document.manifest.mediaType, digest: document.digest,
            size: Int64(document.bytes.count),
            artifactType: document.manifest.referrerArtifactType,
            annotations: document.manifest.annotations)
        try await blobs.ledger.alone(with: subject) { () throws(CopyFailure) in
            try await pacer.attempt { () throws(CopyFailure) in
                try await destination.list(entry, name, under: subject.referrersTag)
            }
        }
    }
}
