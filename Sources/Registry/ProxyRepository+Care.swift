import Index
package import OCI
import Reactor
import Store

/// What an operator asks of one image by its name.
extension ProxyRepository {
    /// The stored manifest that `reference` means now; nil if it was never pulled here.
    package func storedDigest(_ name: RepositoryName, _ reference: Reference) -> Digest? {
        switch reference {
        case .digest(let digest): content.stored(digest) == nil ? nil : digest
        case .tag(let tag): content.tag(scope, canonical(name), tag)?.digest
        }
    }

    /// Fetches what of an image is not stored yet: manifests first, then all that they name.
    ///
    /// Gives how many objects there are and how many could not be had.
    package func fetchAll(
        _ name: RepositoryName, _ reference: Reference
    ) async throws(RegistryError) -> (objects: Int, failed: Int) {
        let root = try await manifest(name, reference).manifest.digest
        var waiting = [root]
        var seen: Set<Digest> = [root]
        var failed = 0
        while let digest = waiting.popLast() {
            for child in (try? content.index.children(of: digest)) ?? []
            where seen.insert(child.digest).inserted {
                let isManifest = Self.manifestTypes.contains(child.mediaType)
                if isManifest { waiting.append(child.digest) }
                if (try? content.index.blob(child.digest)) != .some(nil) { continue }
                let isHere = await refetch(name, child.digest, isManifest: isManifest)
                if !isHere { failed += 1 }
            }
        }
        return (seen.count, failed)
    }

    private static let manifestTypes = [
        MediaType.ociIndex, MediaType.ociManifest, MediaType.dockerList, MediaType.dockerManifest,
    ]

    /// Keeps an image from now on, whose tag, digest or pattern of tags is `reference`; false if
    /// that could not be noted.
    ///
    /// It ends after `length`, in seconds; nil is never.
    package func pin(
        _ name: RepositoryName, _ reference: String, for length: Int64?, note: String
    ) async -> Bool {
        let now = content.loop.clock.wallSeconds
        let end = length.map { now.addingReportingOverflow($0) }
        let row = PinRow(
            repository: self.name, name: canonical(name).text, reference: reference,
            until: end.map { $0.overflow ? PinRow.endless : $0.partialValue } ?? PinRow.endless,
            note: note)
        do throws(StoreError) {
            try await content.store.indexed(adding: 1) { index async throws(IndexError) in
                try await index.pin(row)
            }
            return true
        } catch {
            return false
        }
    }

    /// Keeps it no longer than it is used; false if it was not pinned.
    package func unpin(_ name: RepositoryName, _ reference: String) async -> Bool {
        let name = canonical(name).text
        return
            (try? await content.index.unpin(
                repository: self.name, name: name, reference: reference)) ?? false
    }
}
