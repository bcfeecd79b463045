import Index
package import OCI
package import Reactor
package import Store
import Synchronization
package import Telemetry

/// What all repositories share: the store, the index, hot manifests, and the loop of the fetches.
///
/// Each repository sees only its own links in it: knowing a digest is no right to read it.
package final class Content: Sendable {
    /// Bytes of manifests kept in memory.
    static let manifestBytesMax = 16 << 20
    /// Digests whose mismatch is remembered.
    static let mismatchesMax = 1024
    /// Unverified beginnings of one digest that are remembered.
    static let prefixesMax = 8

    package let store: BlobStore
    package let workers: WorkerPool
    /// Where fetches live; connections on other loops join by awaiting.
    package let loop: EventLoop
    let fills = FillGate()
    let logger: Logger
    let events: RegistryEvents
    let healing: Healing
    let leases = Leases()
    /// When this process began, in wall seconds.
    let began: Int64
    let manifests = Mutex(
        RecencyCache<Digest, StoredManifest>(costMax: Content.manifestBytesMax))
    private let prefixes = Mutex(
        RecencyCache<Digest, [BlobWriter.Prefix]>(costMax: Content.mismatchesMax))
    private let mismatches = Mutex(RecencyCache<Digest, Instant>(costMax: Content.mismatchesMax))
    private let outgrown = Mutex(RecencyCache<Digest, Instant>(costMax: Content.mismatchesMax))

    package init(
        store: BlobStore, workers: WorkerPool, loop: EventLoop, logger: Logger,
        events: RegistryEvents = RegistryEvents()
    ) {
        began = loop.clock.wallSeconds
        self.store = store
        self.workers = workers
        self.loop = loop
        self.logger = logger
        self.events = events
        let lost = LostPushes(store, logger, events, loop)
        healing = Healing(store.index, loop) { digest, links in lost.report(digest, links) }
        // Healing reaches the store itself, which is not to keep itself alive.
        store.watchDamage { [loop, weak healing] digest in
            loop.spawn { [healing] in await healing?.healPushed(digest) }
        }
    }

    var index: ContentIndex { store.index }

    // MARK: - Bounds

    /// Runs `work` on the home loop and waits for it at most `bound` (UP-2); work that takes longer
    /// goes on for whoever asks next.
    func within<Value: Sendable>(
        _ bound: Duration, of registry: String,
        _ work: @escaping @Sendable () async -> Fetched<Value>
    ) async -> Fetched<Value> {
        let promise = Promise<Fetched<Value>>()
        loop.spawn { promise.fulfil(await work()) }
        return await promise.value(within: bound, on: loop)
            ?? .failure(.timedOut(registry: registry))
    }

    // MARK: - Mismatches

    /// Remembers that bytes served under `digest`, of an upstream or stored (nil), are wrong.
    func noteMismatch(_ digest: Digest, from proxy: String?) {
        events.verified(proxy, false)
        mismatches.withLock { $0.insert(loop.now + ProxyPolicy.corruptRangePause, for: digest) }
        forgetShown(digest)
    }

    /// Remembers how a body began that was cut before it could be verified.
    ///
    /// What cannot be remembered any more is as good as a mismatch.
    func noteShown(_ prefix: BlobWriter.Prefix, of digest: Digest, from proxy: String) {
        let known = shown(digest)
        guard known.count < Self.prefixesMax else { return noteMismatch(digest, from: proxy) }
        prefixes.withLock { $0.insert(known + [prefix], for: digest) }
    }

    /// How bodies of `digest` began that somebody may come back for the rest of.
    func shown(_ digest: Digest) -> [BlobWriter.Prefix] {
        prefixes.withLock { $0.peek(digest) } ?? []
    }

    func forgetShown(_ digest: Digest) { prefixes.withLock { $0.remove(digest) } }

    /// Whether a resumed body of `digest` might be completed with other bytes (INT-4).
    package func hadMismatch(_ digest: Digest) -> Bool {
        let until = mismatches.withLock { $0.peek(digest) }
        return until.map { $0 > loop.now } ?? false
    }

    // MARK: - Blobs that outgrew the store

    /// Remembers that `digest`, whose size nobody told, did not fit when it came.
    func noteOutgrown(_ digest: Digest) {
        outgrown.withLock { $0.insert(loop.now + ProxyPolicy.outgrownPause, for: digest) }
    }

    /// Whether `digest` is better passed through than stored until it fails to fit again.
    func hasOutgrown(_ digest: Digest) -> Bool {
        let until = outgrown.withLock { $0.peek(digest) }
        return until.map { $0 > loop.now } ?? false
    }
}

/// What the repositories report for metrics; each closure is short and never blocks.
package struct RegistryEvents: Sendable {
    /// The digest of bytes was compared: those from the named repository's upstream, or stored
    /// ones.
    package var verified: @Sendable (_ repository: String?, _ isRight: Bool) -> Void
    /// A blob fetch of the named repository started or ended.
    package var fetching: @Sendable (_ repository: String, _ change: Int) -> Void

    /// Something was pushed to the named hosted repository, or let go there.
    package var hosted: @Sendable (_ repository: String, HostedEvent) -> Void

    package init(
        verified: @escaping @Sendable (String?, Bool) -> Void = { _, _ in },
        fetching: @escaping @Sendable (String, Int) -> Void = { _, _ in },
        hosted: @escaping @Sendable (String, HostedEvent) -> Void = { _, _ in }
    ) {
        self.verified = verified
        self.fetching = fetching
        self.hosted = hosted
    }
}
