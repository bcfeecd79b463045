import Index
import OCI
import Reactor
import Store
import Synchronization
import Telemetry

/// Says that something pushed is damaged, and where: only who pushed it can help.
final class LostPushes: Sendable {
    /// Digests that are remembered, so that each is told of once and not by all who notice it.
    private static let countMax = 1024
    private static let pause = Duration.seconds(60)

    private let store: BlobStore
    private let logger: Logger
    private let events: RegistryEvents
    private let loop: EventLoop
    private let told = Mutex(RecencyCache<Digest, Instant>(costMax: LostPushes.countMax))

    init(_ store: BlobStore, _ logger: Logger, _ events: RegistryEvents, _ loop: EventLoop) {
        self.store = store
        self.logger = logger
        self.events = events
        self.loop = loop
    }

    /// Tells of a digest that is damaged under these names of hosted repositories.
    func report(_ digest: Digest, _ links: [LinkRow]) {
        let now = loop.now
        let isNews = told.withLock { told in
            if let until = told.peek(digest), until > now { return false }
            told.insert(now + Self.pause, for: digest)
            return true
        }
        // Pushed again, or fetched for a proxy, in the meantime.
        guard isNews, (try? store.index.blob(digest)) == .some(nil) else { return }
        for link in links {
            let repository = HostedKey.name(link.repository)
            events.hosted(repository, .damaged)
            logger.log(
                .error, "something that was pushed is damaged and not served; push it again",
                [
                    "repo": .string(repository), "name": .string(link.name.text),
                    "digest": .string("\(digest)"),
                ])
        }
    }
}
