import Index
package import OCI
import Reactor
import Store
import Telemetry
package import Upstream

/// Another registry, fetched from once and kept.
///
/// Answers from the store without leaving the caller's loop; what is missing is asked for by the
/// actors of the home loop, so that each cold object is one upstream transfer.
package final class ProxyRepository: Sendable {
    /// Its identity in the index.
    package let scope: Scope
    /// The name people write, such as `docker.io`.
    package let registry: String
    package let policy: ProxyPolicy
    let content: Content
    private let manifests: ManifestFetches
    private let blobs: BlobFetches
    private let listings: Listings
    /// Asked before anything is served; nil where whoever reaches the proxy may read it.
    private let rights: Rights?
    /// The same proxy as others see it, who have logins of their own; nil where they are no use.
    let logins: ClientLogins?

    /// Makes a proxy; one that `asksForRights` serves nothing that the upstream has not allowed
    /// its login within the last minute, and one with `logins` passes the clients' on.
    package init(
        _ scope: Scope, registry: String, policy: ProxyPolicy, upstream: any UpstreamClient,
        content: Content, asksForRights: Bool = false, logins: ClientLogins? = nil
    ) {
        self.logins = logins
        self.scope = scope
        self.registry = registry
        self.policy = policy
        self.content = content
        let source = BlobFetch.Source(
            scope: scope, registry: registry, policy: policy, upstream: upstream, content: content)
        let vouching = Vouching(source)
        blobs = BlobFetches(source, vouching)
        manifests = ManifestFetches(source, vouching)
        listings = Listings(source)
        rights = asksForRights ? Rights(source, vouching) : nil
        content.healing.register(self)
    }

    /// The repository's name in the configuration.
    package var name: String { scope.repository }

    /// The name as the upstream knows it: Docker Hub's official images stand below `library/`.
    func canonical(_ name: RepositoryName) -> RepositoryName {
        guard policy.implicitLibrary, !name.text.contains("/") else { return name }
        return RepositoryName(parsing: "library/\(name.text)") ?? name
    }

    /// Whether the configuration lets `name` be served, as the upstream knows it (AUTH-10).
    func allows(_ name: RepositoryName) -> Bool {
        let name = canonical(name)
        if policy.deny.contains(where: { $0.matches(name) }) { return false }
        return policy.allow.isEmpty || policy.allow.contains { $0.matches(name) }
    }

    // MARK: - Local

    /// The manifest, if it needs no upstream: a digest seen under this name, or a fresh tag.
    ///
    /// A group that gives it may do so again while the name is `unowned`.
    func localManifest(
        _ name: RepositoryName, _ reference: Reference, while unowned: UnownedName? = nil
    ) async -> ManifestAnswer? {
        guard allows(name) else { return nil }
        let name = canonical(name)
        let epoch = content.index.epoch
        switch reference {
        case .digest(let digest):
            guard content.isLinked(scope, name, digest),
                let manifest = await content.manifest(digest)
            else { return nil }
            var answer = ManifestAnswer(manifest: manifest, outcome: .hit)
            if mayRepeat {
                answer.again = HotManifest(digest, in: content, since: epoch, while: unowned)
            }
            return answer
        case .tag(let tag):
            guard let row = content.tag(scope, name, tag) else { return nil }
            let now = content.loop.clock.wallSeconds
            let age = now - row.checkedAt
            let ttl = policy.tagTTL.components.seconds - max(0, age)
            guard ttl > 0 || policy.isOffline, let manifest = await content.manifest(row.digest)
            else { return nil }
            let outcome = CacheOutcome(
                .hit, ttl: ttl, detail: ttl > 0 ? nil : CacheOutcome.offline)
            var answer = ManifestAnswer(manifest: manifest, outcome: outcome)
            if mayRepeat {
                // The next second has another time to live.
                answer.again = HotManifest(
                    row.digest, in: content, since: epoch, within: now, while: unowned)
            }
            return answer
        }
    }

    /// An answer may be given again where nobody has to be asked who may read it.
    private var mayRepeat: Bool { rights == nil && logins == nil }

    /// Whether the tag was seen before, fresh or not.
    func knows(_ name: RepositoryName, _ reference: Reference) -> Bool {
        guard case .tag(let tag) = reference else { return false }
        return content.tag(scope, canonical(name), tag) != nil
    }

    /// The blob, if it is stored and was seen under this name.
    ///
    /// A group that gives it may do so again while the name is `unowned`.
    func localBlob(
        _ name: RepositoryName, _ digest: Digest, while unowned: UnownedName? = nil
    ) async -> BlobAnswer? {
        guard allows(name) else { return nil }
        let name = canonical(name)
        guard content.isLinked(scope, name, digest),
            let file = await content.open(digest)
        else { return nil }
        content.store.markUsed(digest)
        var answer = BlobAnswer(
            digest: digest, content: .file(file), size: file.progress.total, outcome: .hit)
        if mayRepeat { answer.again = HotBlobs(of: scope, name, in: content, while: unowned) }
        return answer
    }

    // MARK: - Pull

    /// The manifest of a tag or digest, wherever it has to come from.
    package func manifest(
        _ name: RepositoryName, _ reference: Reference,
        within bound: Duration = ProxyPolicy.answerBound
    ) async throws(RegistryError) -> ManifestAnswer {
        let thing: Vouching.Thing =
            switch reference {
            case .digest(let digest): .manifest(digest)
            case .tag(let tag): .tag(tag)
            }
        let bound = try await confirm(thing, of: name, within: bound)
        if let local = await localManifest(name, reference) { return local }
        let key = ManifestFetches.Key(name: canonical(name), reference: reference)
        return try await manifests.resolve(key, within: bound).get()
    }

    /// The blob, complete or growing.
    package func blob(
        _ name: RepositoryName, _ digest: Digest,
        within bound: Duration = ProxyPolicy.answerBound
    ) async throws(RegistryError) -> BlobAnswer {
        let bound = try await confirm(.blob(digest), of: name, within: bound)
        if let local = await localBlob(name, digest) { return local }
        return try await blobs.open(canonical(name), digest, within: bound).get()
    }

    /// What HEAD of a blob answers without the upstream.
    func storedBlobHead(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> BlobHead {
        guard let local = await localBlob(name, digest) else { throw .notFound }
        return BlobHead(digest: digest, size: local.size, outcome: local.outcome)
    }

    /// What HEAD of a blob answers.
    package func blobHead(
        _ name: RepositoryName, _ digest: Digest,
        within bound: Duration = ProxyPolicy.answerBound
    ) async throws(RegistryError) -> BlobHead {
        let bound = try await confirm(.blob(digest), of: name, within: bound)
        if let stored = try? await storedBlobHead(name, digest) { return stored }
        return try await blobs.head(canonical(name), digest, within: bound).get()
    }

    /// Fetches what was dropped because it was damaged, to its end; false if that failed.
    func refetch(_ name: RepositoryName, _ digest: Digest, isManifest: Bool) async -> Bool {
        do throws(RegistryError) {
            if isManifest {
                return try await manifest(name, .digest(digest)).outcome.stored
            }
            guard case .file(let file) = try await blob(name, digest).content else { return false }
            // A fetch that nobody reads would be given up (UP-3).
            file.addReader()
            defer { file.removeReader() }
            return await file.progress(beyond: .max).phase == .complete
        } catch {
            return false
        }
    }

    /// Names of which tags are known, after `last`, in their order; none where what is known
    /// depends on somebody's login.
    func names(after last: String, limit: Int) async -> [String] {
        guard logins == nil else { return [] }
        return await content.workers.run { [self] in
            var (names, start): ([String], String) = ([], last)
            while names.count < limit {
                let page = try? content.index.knownNames(
                    repository: scope.key, after: start, limit: limit)
                guard let page, let end = page.last else { break }
                names += page.filter { RepositoryName(parsing: $0).map(allows) ?? false }
                start = end
            }
            return Array(names.prefix(limit))
        }
    }

    /// All tags of a name.
    package func tags(
        _ name: RepositoryName, within bound: Duration = ProxyPolicy.answerBound
    ) async throws(RegistryError) -> TagsAnswer {
        guard allows(name) else { throw .notAllowed(registry: registry) }
        let askedAt = content.loop.now
        let answer = try await listings.tags(canonical(name), within: bound).get()
        try await allow(answer.outcome, of: name, askedAt: askedAt)
        return answer
    }

    // MARK: - Rights

    /// Returns what is left of `bound` once the upstream has allowed it.
    private func confirm(
        _ thing: Vouching.Thing, of name: RepositoryName, within bound: Duration
    ) async throws(RegistryError) -> Duration {
        guard allows(name) else { throw .notAllowed(registry: registry) }
        guard let rights else { return bound }
        let deadline = content.loop.now + bound
        try await rights.confirm(thing, of: canonical(name), within: bound)
        return max(deadline - content.loop.now, .milliseconds(100))
    }

    /// A list is the upstream's own word, unless it was kept from before.
    private func allow(
        _ outcome: CacheOutcome, of name: RepositoryName, askedAt: Instant
    ) async throws(RegistryError) {
        guard let rights else { return }
        switch outcome.kind {
        case .miss, .coalesced: await rights.note(canonical(name), askedAt: askedAt)
        case .stale:
            guard await rights.isFresh(canonical(name)) else {
                throw Rights.unknown(at: registry)
            }
        default: break
        }
    }

    /// A page of what refers to a manifest.
    package func referrers(
        _ name: RepositoryName, _ query: ReferrersQuery
    ) async throws(RegistryError) -> ReferrersAnswer {
        let found = try await referrers(of: query.subject, name, within: ProxyPolicy.answerBound)
        return await content.workers.run {
            ReferrersList(merging: [(found.descriptors, false)]).page(query, found.outcome)
        }
    }

    /// All that refers to a manifest, by the upstream's API, or else by the tag that stands in for
    /// it (distribution-spec, "Referrers Tag Schema").
    func referrers(
        of subject: Digest, _ name: RepositoryName, within bound: Duration
    ) async throws(RegistryError) -> Listings.Referrers {
        guard allows(name) else { throw .notAllowed(registry: registry) }
        let name = canonical(name)
        let half = bound / 2
        let askedAt = content.loop.now
        let answer = await listings.referrers(of: subject, name, within: half)
        if case .success(let list) = answer {
            try await allow(list.outcome, of: name, askedAt: askedAt)
        }
        let tag = Reference.tag(subject.referrersTag)
        guard case .failure(let error) = answer, error.isAbsence || knows(name, tag),
            let fallback = try? await manifest(name, tag, within: half)
        else { return try answer.get() }
        let bytes = fallback.manifest.bytes
        let index = await content.workers.run { try? ReferrersIndex.parse(bytes) }
        guard let index else { return try answer.get() }
        return Listings.Referrers(descriptors: index.descriptors, outcome: fallback.outcome)
    }
}
