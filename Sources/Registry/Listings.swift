import Index
import OCI
import Reactor
import Telemetry
import Upstream

/// Tag lists and referrers of a proxy: asked for whole, paged by the API.
actor Listings {
    /// Pages followed upstream (RES-3).
    static let pagesMax = 1000
    /// Largest page, in bytes (RES-2).
    static let pageBytesMax = 4 << 20
    /// Most tags of one name.
    static let tagsMax = 200_000
    /// Tags kept in memory over all names.
    static let cachedTagsMax = 400_000
    /// How long a list is believed.
    static let tagListTTL = Duration.seconds(30)
    /// Referrers given from the index while the upstream cannot be asked.
    static let knownReferrersMax = 1000

    private struct Cached: Sendable {
        let tags: [Tag]
        let until: Instant
    }

    private let source: BlobFetch.Source
    private var cached = RecencyCache<RepositoryName, Cached>(costMax: Listings.cachedTagsMax)
    private var running: [RepositoryName: Promise<Fetched<TagsAnswer>>] = [:]

    init(_ source: BlobFetch.Source) {
        self.source = source
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        source.content.loop.asUnownedSerialExecutor()
    }

    private var content: Content { source.content }

    // MARK: - Tags

    /// All tags of `name`, those seen before while the upstream cannot be asked (UP-6).
    func tags(_ name: RepositoryName, within bound: Duration) async -> Fetched<TagsAnswer> {
        if let list = cached.use(name), list.until > content.loop.now {
            return .success(TagsAnswer(tags: list.tags, outcome: .hit))
        }
        let promise: Promise<Fetched<TagsAnswer>>
        if let joined = running[name] {
            promise = joined
        } else {
            promise = Promise()
            running[name] = promise
            content.loop.spawn { [self, promise] in
                let answer = await fetchTags(name)
                await finish(name, promise, answer)
            }
        }
        let answer = await promise.value(within: bound, on: content.loop)
        return answer ?? .failure(.timedOut(registry: source.registry))
    }

    private func finish(
        _ name: RepositoryName, _ promise: Promise<Fetched<TagsAnswer>>,
        _ answer: Fetched<TagsAnswer>
    ) {
        running[name] = nil
        promise.fulfil(answer)
    }

    private func fetchTags(_ name: RepositoryName) async -> Fetched<TagsAnswer> {
        do throws(RegistryError) {
            let tags = try await fetchPages(name)
            let until = content.loop.now + Self.tagListTTL
            cached.insert(Cached(tags: tags, until: until), for: name, cost: tags.count + 1)
            let outcome = CacheOutcome(.miss, forwardStatus: 200)
            return .success(TagsAnswer(tags: tags, outcome: outcome))
        } catch {
            guard error.isTrouble else { return .failure(error) }
            let known = await content.knownTags(source.scope, name, limit: Self.tagsMax)
            guard !known.isEmpty else { return .failure(error) }
            let outcome = CacheOutcome(.stale, forwardStatus: error.status, detail: error.reason)
            return .success(TagsAnswer(tags: known, outcome: outcome))
        }
    }

    /// Follows the upstream's pages to the end and puts the tags into ASCII order.
    private func fetchPages(_ name: RepositoryName) async throws(RegistryError) -> [Tag] {
        var tags: Set<Tag> = []
        var resource = UpstreamRequest.Resource.tags(name, limit: 1000, last: nil)
        for _ in 0..<Self.pagesMax {
            let response = try await send(resource)
            let bytes = try await collect(response)
            guard let page = await content.workers.run({ try? TagList.parse(bytes).tags }) else {
                throw .corrupt(registry: source.registry, "the tag list is no JSON")
            }
            tags.formUnion(page)
            guard let next = response.next, tags.count < Self.tagsMax else { break }
            resource = .next(name, link: next)
        }
        return await content.workers.run { [tags] in tags.sorted() }
    }

    // MARK: - Referrers

    /// The upstream's referrers index of `digest`; those seen before while it cannot be asked.
    func referrers(
        _ name: RepositoryName, _ digest: Digest, artifactType: String?, within bound: Duration
    ) async -> Fetched<ReferrersAnswer> {
        await content.within(bound, of: source.registry) { [self] in
            await referrers(name, digest, artifactType: artifactType)
        }
    }

    private func referrers(
        _ name: RepositoryName, _ digest: Digest, artifactType: String?
    ) async -> Fetched<ReferrersAnswer> {
        do throws(RegistryError) {
            let response = try await send(
                .referrers(name, digest, artifactType: artifactType))
            let bytes = try await collect(response)
            let count = await content.workers.run {
                try? ReferrersIndex.parse(bytes).descriptors.count
            }
            guard let count else {
                throw .corrupt(registry: source.registry, "the referrers are no index")
            }
            return .success(
                ReferrersAnswer(
                    bytes: bytes, count: count, filtersApplied: response.filtersApplied,
                    outcome: CacheOutcome(.miss, forwardStatus: 200)))
        } catch {
            guard error.isTrouble else { return .failure(error) }
            let known = content.knownReferrers(
                source.scope, name, digest, limit: Self.knownReferrersMax)
            guard !known.isEmpty else { return .failure(error) }
            let descriptors = known.map { Descriptor($0) }
            let index = ReferrersIndex(descriptors).filtered(artifactType: artifactType)
            return .success(
                ReferrersAnswer(
                    bytes: index.encode(), count: index.descriptors.count,
                    filtersApplied: artifactType == nil ? nil : "artifactType",
                    outcome: CacheOutcome(
                        .stale, forwardStatus: error.status, detail: error.reason)))
        }
    }

    // MARK: - Asking

    private func send(
        _ resource: UpstreamRequest.Resource
    ) async throws(RegistryError) -> UpstreamResponse {
        let response: UpstreamResponse
        do throws(UpstreamError) {
            response = try await source.upstream.send(UpstreamRequest(.get, resource))
        } catch {
            throw error.registryError(of: source.registry)
        }
        guard response.status == 200 else {
            response.body.cancel()
            throw response.registryError(of: source.registry)
        }
        return response
    }

    private func collect(_ response: UpstreamResponse) async throws(RegistryError) -> [UInt8] {
        do throws(UpstreamError) {
            return try await response.body.collect(limit: Self.pageBytesMax)
        } catch {
            throw error.registryError(of: source.registry)
        }
    }
}
