import Index
import OCI
import Reactor
import Store
import Telemetry
import Upstream

/// Asks a proxy's upstream for manifests: one request per reference however many clients wait.
///
/// A fetch is a task of its own and goes on when the clients that caused it have left (UP-3).
actor ManifestFetches {
    struct Key: Hashable, Sendable {
        let name: RepositoryName
        let reference: Reference
    }

    private let source: BlobFetch.Source
    private let vouching: Vouching
    private var running: [Key: Running] = [:]
    private var negative = NegativeCache<Key>()
    private var patience = Patience()
    private var staleLoggedAt: Instant?

    /// A fetch under way.
    private struct Running {
        let result = Promise<Fetched<ManifestAnswer>>()
        /// The upstream has said whether the tag is what it was, or the fetch is over.
        let spoken = Promise<Void>()
        let started: Instant
    }

    init(_ source: BlobFetch.Source, _ vouching: Vouching) {
        self.source = source
        self.vouching = vouching
    }

    private nonisolated var scope: Scope { source.scope }
    private nonisolated var registry: String { source.registry }
    private nonisolated var policy: ProxyPolicy { source.policy }
    private nonisolated var content: Content { source.content }
    /// The repository's name, for logs and metrics.
    private nonisolated var proxy: String { scope.repository }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        content.loop.asUnownedSerialExecutor()
    }

    /// The manifest of a reference that is not fresh locally; joins a fetch under way.
    ///
    /// When that takes longer than `bound`, or when the upstream is silent for longer than it
    /// usually is, a known tag is served stale and the fetch goes on (UP-6, P8).
    func resolve(_ key: Key, within bound: Duration) async -> Fetched<ManifestAnswer> {
        let deadline = content.loop.now + bound
        let row = servableRow(key)
        let joined = running[key]
        let fetch = joined ?? start(key)
        if let row, !(await hasSpoken(fetch, within: bound)) {
            return await stale(row, after: .timedOut(registry: registry))
        }
        let left = deadline - content.loop.now
        guard let answer = await fetch.result.value(within: left, on: content.loop) else {
            return await stale(row, after: .timedOut(registry: registry))
        }
        guard joined != nil else { return answer }
        return answer.map { answer in
            var answer = answer
            answer.outcome = answer.outcome.joined
            return answer
        }
    }

    /// The tag's row, if it may be served as it was when the upstream does not answer.
    private func servableRow(_ key: Key) -> TagRow? {
        guard case .tag(let tag) = key.reference, believed(key) == nil,
            let row = content.tag(scope, key.name, tag), isServable(row)
        else { return nil }
        return row
    }

    private func hasSpoken(_ fetch: Running, within bound: Duration) async -> Bool {
        let wait = min(patience.wait(at: content.loop.now), bound)
        guard wait > .zero else { return fetch.spoken.current != nil }
        if await fetch.spoken.value(within: wait, on: content.loop) != nil { return true }
        patience.ranOut(at: content.loop.now)
        return false
    }

    private func start(_ key: Key) -> Running {
        let fetch = Running(started: content.loop.now)
        running[key] = fetch
        content.loop.spawn { [self] in
            let result = await self.fetch(key)
            await finish(key, fetch, result)
        }
        return fetch
    }

    private func finish(_ key: Key, _ fetch: Running, _ result: Fetched<ManifestAnswer>) {
        running[key] = nil
        fetch.result.fulfil(result)
        fetch.spoken.fulfil(())
    }

    /// The upstream has answered about a tag.
    private func heard(_ key: Key) {
        guard let fetch = running[key] else { return }
        patience.heard(after: content.loop.now - fetch.started)
        fetch.spoken.fulfil(())
    }

    // MARK: - One fetch

    private func fetch(_ key: Key) async -> Fetched<ManifestAnswer> {
        switch key.reference {
        case .digest(let digest):
            do throws(RegistryError) {
                return .success(try await fetchDigest(key, digest))
            } catch {
                return .failure(error)
            }
        case .tag(let tag):
            return await fetchTag(key, tag)
        }
    }

    private func fetchDigest(
        _ key: Key, _ digest: Digest
    ) async throws(RegistryError) -> ManifestAnswer {
        if let believed = believed(key) { throw believed }
        do throws(RegistryError) {
            if let known = try await known(key.name, digest) { return known }
            let download = try await source.manifest(key, expecting: digest)
            return await keep(download, key)
        } catch {
            noteFailure(error, key)
            throw error
        }
    }

    /// A manifest that is here because of another name, once the upstream has vouched for this one:
    /// that costs no pull.
    private func known(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> ManifestAnswer? {
        guard content.stored(digest) != nil, content.mayBeShown(digest, onTheWordOf: scope) else {
            return nil
        }
        try await vouching.ask(.manifest(digest), of: name)
        await content.link(scope, name, digest)
        guard let manifest = await content.manifest(digest) else { return nil }
        vouchBelow(digest, name)
        return ManifestAnswer(
            manifest: manifest, outcome: CacheOutcome(.revalidated, forwardStatus: 200))
    }

    /// Clients do not ask for what they have: the upstream is asked about it for those who will.
    private func vouchBelow(_ digest: Digest, _ name: RepositoryName) {
        content.loop.spawn { [vouching] in await vouching.ask(forAllBelow: digest, of: name) }
    }

    private func fetchTag(_ key: Key, _ tag: Tag) async -> Fetched<ManifestAnswer> {
        let row = content.tag(scope, key.name, tag)
        if let believed = believed(key) {
            return believed.isTrouble ? await stale(row, after: believed) : .failure(believed)
        }
        do throws(RegistryError) {
            if let row, let answer = try await revalidate(key, tag, row) {
                return .success(answer)
            }
            let download = try await source.manifest(
                key, expecting: nil, isDispensable: isServable(row))
            let answer = await keep(download, key)
            await bind(key, tag, answer)
            return .success(answer)
        } catch {
            noteFailure(error, key)
            if !error.isTrouble {
                if case .notFound = error { await content.unbind(scope, key.name, tag) }
                return .failure(error)
            }
            return await stale(row, after: error)
        }
    }

    /// Asks by HEAD whether a known tag still means the same (free on Docker Hub).
    ///
    /// Returns nil when the manifest has to be fetched by the tag.
    private func revalidate(
        _ key: Key, _ tag: Tag, _ row: TagRow
    ) async throws(RegistryError) -> ManifestAnswer? {
        var request = UpstreamRequest(.head, .manifest(key.name, key.reference))
        request.mayBeRepeated = !isServable(row)
        let response = try await source.send(request)
        response.body.cancel()
        switch response.status {
        case 200: heard(key)
        case 401, 403, 405, 501:
            heard(key)
            return nil  // HEAD refused: GET decides (UP-9).
        default: throw response.registryError(of: registry)
        }
        guard let digest = response.digest else { return nil }
        if digest == row.digest, let manifest = await content.manifest(digest) {
            await content.renew(scope, key.name, tag)
            var outcome = CacheOutcome(
                .revalidated, forwardStatus: 200, ttl: policy.tagTTL.components.seconds)
            outcome.parent = response.cacheStatus
            return ManifestAnswer(manifest: manifest, outcome: outcome)
        }
        if content.isLinked(scope, key.name, digest), let manifest = await content.manifest(digest)
        {
            // It has moved to something that is here already.
            var outcome = CacheOutcome(.revalidated, forwardStatus: 200, stored: true)
            outcome.parent = response.cacheStatus
            let answer = ManifestAnswer(manifest: manifest, outcome: outcome)
            await bind(key, tag, answer)
            return answer
        }
        let moved = Key(name: key.name, reference: .digest(digest))
        let download: ManifestDownload
        do throws(RegistryError) {
            download = try await source.manifest(
                moved, expecting: digest, isDispensable: isServable(row))
        } catch .notFound {
            return nil  // Named but not to be had by its digest: the tag itself decides.
        }
        let answer = await keep(download, moved)
        await bind(key, tag, answer)
        return answer
    }

    private func bind(_ key: Key, _ tag: Tag, _ answer: ManifestAnswer) async {
        negative.forget(key)
        guard answer.outcome.stored else { return }
        await content.bind(scope, key.name, tag, answer.manifest.digest)
    }

    /// The last good answer while the upstream fails, within its age bound (UP-6).
    private func stale(
        _ row: TagRow?, after error: RegistryError
    ) async -> Fetched<ManifestAnswer> {
        guard let row, isServable(row), let manifest = await content.manifest(row.digest) else {
            return .failure(error)
        }
        let age = age(of: row)
        // Once a second is enough to know.
        let now = content.loop.now
        let isNews = staleLoggedAt.map { now - $0 >= .seconds(1) } ?? true
        if isNews { staleLoggedAt = now }
        content.logger.log(
            isNews ? .warn : .debug, "served stale",
            [
                "repo": .string(proxy), "digest": .string("\(row.digest)"),
                "reason": .string(error.reason), "age": .string("\(age)s"),
            ])
        let outcome = CacheOutcome(.stale, forwardStatus: error.status, detail: error.reason)
        return .success(
            ManifestAnswer(manifest: manifest, outcome: outcome, staleSeconds: age))
    }

    /// Whether a tag may be served as it was.
    private func isServable(_ row: TagRow?) -> Bool {
        guard let row else { return false }
        return age(of: row) <= policy.staleMax.components.seconds
            && content.stored(row.digest) != nil
    }

    /// Seconds since the tag was last confirmed.
    private func age(of row: TagRow) -> Int64 {
        max(0, content.loop.clock.wallSeconds - row.checkedAt)
    }

    // MARK: - Asking

    /// What is still believed of the reference.
    ///
    /// Not a failure to be noted again: belief ends when its time is over.
    private func believed(_ key: Key) -> RegistryError? {
        negative.error(for: key, at: content.loop.now)
    }

    private func noteFailure(_ error: RegistryError, _ key: Key) {
        let now = content.loop.now
        if error.isTrouble { patience.failed(at: now) }
        switch error {
        case .notFound:
            let isTag = if case .tag = key.reference { true } else { false }
            let ttl = isTag ? policy.missingTTL : ProxyPolicy.missingBlobTTL
            negative.remember(error, for: key, until: now + ttl)
        case .denied: negative.remember(error, for: key, until: now + ProxyPolicy.deniedTTL)
        case .spared: negative.remember(error, for: key, until: now + ProxyPolicy.sparedTTL)
        default: break
        }
    }

    /// Stores a verified manifest; when it cannot be kept it is served all the same.
    private func keep(_ download: ManifestDownload, _ key: Key) async -> ManifestAnswer {
        let kept = await content.keep(
            download.manifest, download.parsed, in: scope, key.name)
        if kept != nil { vouchBelow(download.manifest.digest, key.name) }
        var outcome = CacheOutcome(.miss, forwardStatus: 200, stored: kept != nil)
        outcome.parent = download.parent
        return ManifestAnswer(manifest: kept ?? download.manifest, outcome: outcome)
    }
}

extension RegistryError {
    /// The upstream's status behind this error, if there was one.
    var status: Int? {
        switch self {
        case .failing(_, let status), .denied(_, let status): status
        case .limited: 429
        case .busy: 503
        case .notFound: 404
        default: nil
        }
    }
}
