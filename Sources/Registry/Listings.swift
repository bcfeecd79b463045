import Index
import OCI
import Reactor
import Telemetry
import Upstream

/// Tag lists and referrers of a proxy: asked for whole, given in pages.
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
    /// Most referrers of one manifest: of more, the first.
    static let referrersMax = 10_000
    /// Pages of referrers followed upstream, bytes of them after which no further one is, and how
    /// long that may take (RES-2, RES-3).
    static let referrersPagesMax = 100
    static let referrersBytesMax = 8 << 20
    static let referrersTimeMax = Duration.seconds(60)
    /// Referrers kept in memory over all manifests, in bytes.
    static let cachedReferrersBytesMax = 16 << 20
    /// The longest list of referrers that is kept for when the upstream is gone.
    static let keptReferrersBytesMax = 4 << 20

    private struct Cached: Sendable {
        let tags: [Tag]
        let until: Instant
    }

    let source: BlobFetch.Source
    private var cached = RecencyCache<RepositoryName, Cached>(costMax: Listings.cachedTagsMax)
    /// Questions to the referrers API that run, and what was asked lately (`Listings+Referrers`).
    var runningReferrers: [ReferrersKey: Promise<Fetched<Referrers>>] = [:]
    var referrers = RecencyCache<ReferrersKey, ReferrersEntry>(
        costMax: Listings.cachedReferrersBytesMax)
    private var running: [RepositoryName: Promise<Fetched<TagsAnswer>>] = [:]

    init(_ source: BlobFetch.Source) {
        self.source = source
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        source.content.loop.asUnownedSerialExecutor()
    }

    var content: Content { source.content }

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

    // MARK: - Asking

    func send(
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

    func collect(_ response: UpstreamResponse) async throws(RegistryError) -> [UInt8] {
        do throws(UpstreamError) {
            return try await response.body.collect(limit: Self.pageBytesMax)
        } catch {
            throw error.registryError(of: source.registry)
        }
    }
}
