import OCI
import Reactor
import Upstream

/// Whether a login may read a name now, by its upstream's own word (AUTH-3).
///
/// The word holds for a minute. Then the upstream is asked again, by HEAD, before anything that is
/// kept under the name is served; when it cannot be asked, nothing is.
actor Rights {
    /// How long the upstream's word is believed.
    static let believedFor = Duration.seconds(60)
    private static let namesMax = 1024

    private struct Key: Hashable, Sendable {
        let name: RepositoryName
        let thing: Vouching.Thing
    }

    private let source: BlobFetch.Source
    private let vouching: Vouching
    private var until = RecencyCache<RepositoryName, Instant>(costMax: Rights.namesMax)
    private var negative = NegativeCache<Key>()

    init(_ source: BlobFetch.Source, _ vouching: Vouching) {
        self.source = source
        self.vouching = vouching
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        source.content.loop.asUnownedSerialExecutor()
    }

    private var now: Instant { source.content.loop.now }

    /// Whether the upstream gave something of `name` to this login within the last minute.
    func isFresh(_ name: RepositoryName) -> Bool {
        until.use(name).map { $0 > now } ?? false
    }

    /// The upstream gave something of `name` to this login: it was asked at `askedAt`.
    func note(_ name: RepositoryName, askedAt: Instant) {
        let end = askedAt + Self.believedFor
        until.insert(max(end, until.peek(name) ?? end), for: name)
    }

    /// Returns when this login may read `thing` under `name`.
    func confirm(
        _ thing: Vouching.Thing, of name: RepositoryName, within bound: Duration
    ) async throws(RegistryError) {
        if isFresh(name) { return }
        let key = Key(name: name, thing: thing)
        if let believed = negative.error(for: key, at: now) { throw believed }
        let askedAt = now
        do throws(RegistryError) {
            try await vouching.ask(thing, of: name, within: bound)
            note(name, askedAt: askedAt)
        } catch {
            throw noteFailure(error, key)
        }
    }

    private func noteFailure(_ error: RegistryError, _ key: Key) -> RegistryError {
        switch error {
        case .notFound:
            let isTag = if case .tag = key.thing { true } else { false }
            let ttl = isTag ? source.policy.missingTTL : ProxyPolicy.missingBlobTTL
            negative.remember(error, for: key, until: now + ttl)
            return error
        case .denied:
            negative.remember(error, for: key, until: now + ProxyPolicy.deniedTTL)
            return error
        case .limited, .busy: return error
        default: return Self.unknown(at: source.registry)
        }
    }

    /// What somebody gets whose right cannot be asked about.
    static func unknown(at registry: String) -> RegistryError {
        .unavailable("\(registry) cannot be asked whether this login may read it")
    }
}
