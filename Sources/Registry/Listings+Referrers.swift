import Index
import OCI
import Reactor
import Telemetry
import Upstream

/// What a list of referrers is about.
struct ReferrersKey: Hashable, Sendable {
    let name: RepositoryName
    let subject: Digest
}

/// All that an upstream said refers to something, and until when that is believed.
struct ReferrersEntry: Sendable {
    let descriptors: [Descriptor]
    let until: Instant
}

/// Referrers: the upstream's word, all pages of it and of every type, so that one question serves
/// all that are asked here; kept for when the upstream is gone.
extension Listings {
    /// What an upstream says, and how that came here.
    struct Referrers: Sendable {
        var descriptors: [Descriptor]
        var outcome: CacheOutcome
    }

    /// All that refers to `subject`; while the upstream cannot be asked, what it said before.
    func referrers(
        of subject: Digest, _ name: RepositoryName, within bound: Duration
    ) async -> Fetched<Referrers> {
        let key = ReferrersKey(name: name, subject: subject)
        if let entry = referrers.use(key), entry.until > content.loop.now {
            return .success(Referrers(descriptors: entry.descriptors, outcome: .hit))
        }
        let promise: Promise<Fetched<Referrers>>
        if let joined = runningReferrers[key] {
            promise = joined
        } else {
            promise = Promise()
            runningReferrers[key] = promise
            content.loop.spawn { [self, promise] in
                let answer = await fetchReferrers(key)
                await finish(key, promise, answer)
            }
        }
        let answer = await promise.value(within: bound, on: content.loop)
        return answer ?? .failure(.timedOut(registry: source.registry))
    }

    private func finish(
        _ key: ReferrersKey, _ promise: Promise<Fetched<Referrers>>, _ answer: Fetched<Referrers>
    ) {
        runningReferrers[key] = nil
        promise.fulfil(answer)
    }

    private func fetchReferrers(_ key: ReferrersKey) async -> Fetched<Referrers> {
        do throws(RegistryError) {
            let descriptors = try await fetchReferrersPages(key)
            await keep(descriptors, key)
            return .success(
                Referrers(
                    descriptors: descriptors, outcome: CacheOutcome(.miss, forwardStatus: 200)))
        } catch {
            guard error.isTrouble, let known = await knownReferrers(key) else {
                return .failure(error)
            }
            let outcome =
                error.isOffline
                ? CacheOutcome(.hit, detail: CacheOutcome.offline)
                : CacheOutcome(.stale, forwardStatus: error.status, detail: error.reason)
            return .success(Referrers(descriptors: known, outcome: outcome))
        }
    }

    /// Follows the upstream's pages to the end, or as far as is reasonable.
    private func fetchReferrersPages(
        _ key: ReferrersKey
    ) async throws(RegistryError) -> [Descriptor] {
        var found: [Descriptor] = []
        var resource = UpstreamRequest.Resource.referrers(
            key.name, key.subject, artifactType: nil)
        var bytesCount = 0
        let deadline = content.loop.now + Self.referrersTimeMax
        for _ in 0..<Self.referrersPagesMax {
            guard content.loop.now < deadline else { throw .timedOut(registry: source.registry) }
            let response = try await send(resource)
            let bytes = try await collect(response)
            bytesCount += bytes.count
            let page = await content.workers.run {
                try? ReferrersIndex.parse(bytes).descriptors
            }
            guard let page else {
                throw .corrupt(registry: source.registry, "the referrers are no index")
            }
            found += page
            guard let next = response.next, found.count < Self.referrersMax,
                bytesCount < Self.referrersBytesMax
            else { break }
            resource = .next(key.name, link: next)
        }
        return found
    }

    private func keep(_ descriptors: [Descriptor], _ key: ReferrersKey) async {
        let cost = descriptors.reduce(256) { $0 + $1.listedBytes }
        let until = content.loop.now + Self.tagListTTL
        referrers.insert(
            ReferrersEntry(descriptors: descriptors, until: until), for: key, cost: cost)
        let (content, scope) = (self.content, source.scope)
        let list = await content.workers.run { () -> [UInt8]? in
            let list = ReferrersIndex(descriptors).encode()
            let kept = content.keptReferrers(scope, key.name, key.subject)
            // That nothing refers to it is worth a place if it was pulled: anybody can ask for
            // digests that are nowhere.
            let isWorthIt =
                kept != nil || !descriptors.isEmpty
                || content.isLinked(scope, key.name, key.subject)
            return isWorthIt && kept != list && list.count <= Self.keptReferrersBytesMax
                ? list : nil
        }
        guard let list else { return }
        await content.keepReferrers(scope, key.name, key.subject, list)
    }

    /// What the upstream said before, with what was pulled of it since; nil if it is nothing.
    private func knownReferrers(_ key: ReferrersKey) async -> [Descriptor]? {
        let (content, scope) = (self.content, source.scope)
        return await content.workers.run {
            let kept = content.keptReferrers(scope, key.name, key.subject)
                .flatMap { try? ReferrersIndex.parse($0).descriptors }
            let query = ReferrersQuery(key.subject)
            let pulled = content.knownReferrers(scope, key.name, query).rows.map(\.descriptor)
            if kept == nil, pulled.isEmpty { return nil }
            return (kept ?? []) + pulled
        }
    }
}
