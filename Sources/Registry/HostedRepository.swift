import Index
package import OCI
import Reactor
import Store
import Telemetry

/// A repository of one's own: what is pushed to it stays until it is deleted.
///
/// Its content lies in the same store as what is cached, but no eviction takes it.
package final class HostedRepository: Sendable {
    /// The name in the configuration.
    package let name: String
    package let policy: HostedPolicy
    let scope: Scope
    let content: Content

    package init(name: String, policy: HostedPolicy, content: Content) {
        self.name = name
        self.policy = policy
        self.content = content
        scope = Scope(hosted: name)
    }

    /// What stands for it in the index.
    package var key: String { scope.key }

    /// Reports what happened here, for metrics.
    package func tell(_ event: HostedEvent) { content.events.hosted(name, event) }

    // MARK: - Pull

    /// The manifest; who asks by HEAD is told that it is here, and may name it in an index.
    package func manifest(
        _ name: RepositoryName, _ reference: Reference, isHead: Bool = false
    ) async throws(RegistryError) -> ManifestAnswer {
        let epoch = content.index.epoch
        guard let digest = storedDigest(name, reference), !isHead || lease(digest, name),
            let manifest = await content.manifest(digest)
        else { throw .notFound }
        var answer = ManifestAnswer(manifest: manifest, outcome: .hit)
        // Each HEAD renews the lease.
        if !isHead { answer.again = HotManifest(digest, in: content, since: epoch) }
        return answer
    }

    private func digest(of reference: Reference, _ name: RepositoryName) -> Digest? {
        switch reference {
        case .digest(let digest): digest
        case .tag(let tag): content.tag(scope, name, tag)?.digest
        }
    }

    /// The stored manifest that `reference` means now; nil if there is none.
    package func storedDigest(_ name: RepositoryName, _ reference: Reference) -> Digest? {
        guard let digest = digest(of: reference, name), content.isLinked(scope, name, digest)
        else { return nil }
        return digest
    }

    package func blob(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> BlobAnswer {
        guard content.isLinked(scope, name, digest), let file = await content.open(digest) else {
            throw .notFound
        }
        content.store.markUsed(digest)
        return BlobAnswer(
            digest: digest, content: .file(file), size: file.progress.total, outcome: .hit,
            again: HotBlobs(of: scope, name, in: content))
    }

    package func blobHead(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> BlobHead {
        guard lease(digest, name) else { throw .notFound }
        let answer = try await blob(name, digest)
        return BlobHead(digest: digest, size: answer.size, outcome: .hit)
    }

    /// Who asks may be about to push, and count on it from now on; false if it is not here, or is
    /// just leaving (P12).
    private func lease(_ digest: Digest, _ name: RepositoryName) -> Bool {
        // Only what is here takes a place, and it may have left before it had one.
        content.isLinked(scope, name, digest)
            && content.leases.renew(
                scope.key, name.text, digest, at: content.loop.clock.wallSeconds)
            && content.isLinked(scope, name, digest)
    }

    package func tags(_ name: RepositoryName) async throws(RegistryError) -> TagsAnswer {
        guard owns(name) else { throw .notFound }
        let tags = await content.knownTags(scope, name, limit: Listings.tagsMax)
        return TagsAnswer(tags: tags, outcome: .hit)
    }

    package func referrers(
        _ name: RepositoryName, _ query: ReferrersQuery
    ) async throws(RegistryError) -> ReferrersAnswer {
        await Self.referrers(of: [self], name, query)
    }

    /// What refers to a manifest in any of several repositories, each once.
    static func referrers(
        of repositories: [HostedRepository], _ name: RepositoryName, _ query: ReferrersQuery
    ) async -> ReferrersAnswer {
        guard let content = repositories.first?.content else {
            return ReferrersList(merging: []).page(query, .hit)
        }
        // Annotations may be long: too much to read and write on a loop.
        return await content.workers.run {
            let pages = repositories.map { hosted in
                let page = hosted.content.knownReferrers(hosted.scope, name, query)
                return (descriptors: page.rows.map(\.descriptor), hasMore: page.hasMore)
            }
            return ReferrersList(merging: pages).page(query, .hit)
        }
    }

    /// Whether anything was pushed under `name` and not deleted: then nobody else's is shown under
    /// it (AUTH-10).
    package func owns(_ name: RepositoryName) -> Bool {
        content.owns(scope, name)
    }

    /// Names under which something is, after `last`, in their order.
    package func names(after last: String, limit: Int) async -> [String] {
        await content.workers.run { [self] in
            (try? content.index.hostedNames(repository: scope.key, after: last, limit: limit))
                ?? []
        }
    }
}
