import OCI
import Reactor
import Store
import Telemetry
import Upstream

/// The running blob fetches of one proxy: whoever asks for a cold blob starts or joins one.
///
/// Keyed by digest within the proxy, which is one identity at one upstream (INT-5, UP-1).
actor BlobFetches {
    private struct Key: Hashable, Sendable {
        let name: RepositoryName
        let digest: Digest
    }

    /// A fetch under way, and the name that its upstream is asked under.
    private struct Running {
        let fetch: BlobFetch
        let name: RepositoryName
        let ticket: FillGate.Ticket
        let ended = Promise<Void>()
    }

    private let source: BlobFetch.Source
    private let vouching: Vouching
    private var running: [Digest: Running] = [:]
    private var negative = NegativeCache<Key>()

    init(_ source: BlobFetch.Source, _ vouching: Vouching) {
        self.source = source
        self.vouching = vouching
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        source.content.loop.asUnownedSerialExecutor()
    }

    private nonisolated var content: Content { source.content }

    /// The blob, from the store, from a fetch that is joined, or from one that is started.
    func open(
        _ name: RepositoryName, _ digest: Digest, within bound: Duration
    ) async -> Fetched<BlobAnswer> {
        await content.within(bound, of: source.registry) { [self] in
            await open(name, digest)
        }
    }

    private func open(_ name: RepositoryName, _ digest: Digest) async -> Fetched<BlobAnswer> {
        let key = Key(name: name, digest: digest)
        if let believed = negative.error(for: key, at: content.loop.now) {
            return .failure(believed)
        }
        do throws(RegistryError) {
            return .success(try await find(name, digest))
        } catch {
            noteFailure(error, key)
            return .failure(error)
        }
    }

    private func find(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> BlobAnswer {
        if let known = try await findKnown(name, digest) { return known }
        var joinsLeft = Self.failedJoinsMax
        var isVouched = content.isLinked(source.scope, name, digest)
        while true {
            let (running, joined) = startOrJoin(name, digest)
            if running.name != name {
                // Somebody fetches it under another name: the upstream says whether this one has
                // it. Asked here, once there is no more waiting between joining and reading.
                if !isVouched { try await vouching.ask(.blob(digest), of: name) }
                isVouched = true
                await running.fetch.share(with: name)
            }
            let opened = await running.fetch.opened.value(
                within: ProxyPolicy.answerBound, on: content.loop)
            guard let opened else { throw .timedOut(registry: source.registry) }
            if case .failure(let error) = opened, error.isOfName, running.name != name,
                joinsLeft > 0
            {
                joinsLeft -= 1
                continue
            }
            if case .success(.file(let file, _)) = opened, !file.isUnchanged, joinsLeft > 0 {
                joinsLeft -= 1
                if let stored = try await findKnown(name, digest) { return stored }
                continue
            }
            let parent = await running.fetch.parent
            return try await answer(opened, name, digest, joined: joined, parent)
        }
    }

    /// The stored bytes, if they may be read under this name; else they have to be fetched.
    private func findKnown(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> BlobAnswer? {
        if let running = joinable(digest), running.fetch.isPublished {
            // Being committed, which takes no time worth speaking of: its bytes are on disk.
            _ = await running.ended.value(within: ProxyPolicy.answerBound, on: content.loop)
        }
        if joinable(digest) != nil { return nil }
        guard let file = await content.open(digest) else { return nil }
        if !content.isLinked(source.scope, name, digest) {
            guard content.mayBeShown(digest, onTheWordOf: source.scope) else { return nil }
            try await vouching.ask(.blob(digest), of: name)
            await content.link(source.scope, name, digest)
        }
        return BlobAnswer(
            digest: digest, content: .file(file), size: file.progress.total, outcome: .hit)
    }

    /// How often the failed fetch of another name is followed by another one.
    private static let failedJoinsMax = 3

    /// The fetch of `digest`, unless it has failed already and is only being cleared away.
    private func joinable(_ digest: Digest) -> Running? {
        guard let running = running[digest], !running.fetch.hasFailed else { return nil }
        return running
    }

    private func startOrJoin(
        _ name: RepositoryName, _ digest: Digest
    ) -> (running: Running, joined: Bool) {
        if let running = joinable(digest) {
            content.fills.join(running.ticket)
            return (running, true)
        }
        let fetch = BlobFetch(source, name, digest)
        let started = Running(fetch: fetch, name: name, ticket: content.fills.enter())
        running[digest] = started
        content.events.fetching(source.proxy, 1)
        content.loop.spawn { [self] in
            if let client = await content.fills.pass(started.ticket, on: content.loop) {
                await fetch.run()
                content.fills.leave(client)
            } else {
                fetch.opened.fulfil(
                    .failure(.unavailable("too many cold blobs asked for by one client")))
            }
            await finished(digest, fetch)
            started.ended.fulfil(())
        }
        return (started, false)
    }

    private func finished(_ digest: Digest, _ fetch: BlobFetch) {
        if running[digest]?.fetch === fetch { running[digest] = nil }
        content.events.fetching(source.proxy, -1)
    }

    private func answer(
        _ opened: Fetched<BlobFetch.Opened>, _ name: RepositoryName, _ digest: Digest, joined: Bool,
        _ parent: String?
    ) async throws(RegistryError) -> BlobAnswer {
        switch opened {
        case .failure(let error): throw error
        case .success(.file(let file, let size)):
            var outcome = CacheOutcome(.miss, forwardStatus: 200, stored: true)
            outcome.parent = parent
            return BlobAnswer(
                digest: digest, content: .file(file), size: size,
                outcome: joined ? outcome.joined : outcome)
        case .success(.noRoom):
            let stream = try await VerifiedStream.open(source, name, digest)
            return BlobAnswer(
                digest: digest, content: .stream(stream), size: stream.size,
                outcome: CacheOutcome(.bypass, forwardStatus: 200))
        }
    }

    private func noteFailure(_ error: RegistryError, _ key: Key) {
        let now = content.loop.now
        switch error {
        case .notFound:
            negative.remember(error, for: key, until: now + ProxyPolicy.missingBlobTTL)
        case .denied: negative.remember(error, for: key, until: now + ProxyPolicy.deniedTTL)
        default: break
        }
    }

    // MARK: - Heads

    /// What HEAD answers: that of GET, without fetching the bytes (UP-9).
    func head(
        _ name: RepositoryName, _ digest: Digest, within bound: Duration
    ) async -> Fetched<BlobHead> {
        await content.within(bound, of: source.registry) { [self] in
            await head(name, digest)
        }
    }

    private func head(_ name: RepositoryName, _ digest: Digest) async -> Fetched<BlobHead> {
        let key = Key(name: name, digest: digest)
        if let believed = negative.error(for: key, at: content.loop.now) {
            return .failure(believed)
        }
        do throws(RegistryError) {
            let response = try await source.head(.blob(name, digest))
            var outcome = CacheOutcome(.miss, forwardStatus: 200)
            outcome.parent = response.cacheStatus
            let size = response.contentLength ?? content.describedSize(source.scope, name, digest)
            return .success(BlobHead(digest: digest, size: size, outcome: outcome))
        } catch {
            noteFailure(error, key)
            return .failure(error)
        }
    }
}

extension RegistryError {
    /// Whether this was said of the name asked for: the same blob may be had under another.
    fileprivate var isOfName: Bool {
        switch self {
        case .notFound, .denied, .corrupt: true
        default: false
        }
    }
}
