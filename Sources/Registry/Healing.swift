import Index
import OCI
import Reactor
import Synchronization

/// Fetches again what was found damaged, through a proxy that has shown it, one after the other.
///
/// So that a damaged layer is whole again although the client that met it has given up. Whoever
/// asks meanwhile joins the same fetch.
actor Healing {
    /// How many wait at most; more are fetched when somebody asks for them.
    static let waitingMax = 1024
    /// Names that one is looked for under.
    private static let namesMax = 16
    /// How many are fetched at a time.
    private static let runningMax = 2

    /// Above this many, those that are gone are cleared away.
    private static let membersMax = 256

    private struct Patient: Hashable, Sendable {
        let digest: Digest
        let isManifest: Bool
    }

    private final class Member {
        weak let proxy: ProxyRepository?

        init(_ proxy: ProxyRepository) {
            self.proxy = proxy
        }
    }

    private let index: ContentIndex
    private let loop: EventLoop
    /// Told of what was pushed to these names, and cannot be had from anybody but its pusher.
    private let lost: @Sendable (Digest, [LinkRow]) -> Void
    private nonisolated let members = Mutex<[String: Member]>([:])
    private var waiting: [Patient] = []
    private var running: Set<Patient> = []

    init(
        _ index: ContentIndex, _ loop: EventLoop,
        lost: @escaping @Sendable (Digest, [LinkRow]) -> Void
    ) {
        self.index = index
        self.lost = lost
        self.loop = loop
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    /// Says which proxy stands for its scope from now on, for as long as it is in use.
    nonisolated func register(_ proxy: ProxyRepository) {
        members.withLock { members in
            members[proxy.scope.key] = Member(proxy)
            // Those of clients' own logins come and go.
            guard members.count > Self.membersMax else { return }
            members = members.filter { $0.value.proxy != nil }
        }
    }

    /// Has `digest` fetched again, now or when others are done.
    func heal(_ digest: Digest, isManifest: Bool) {
        let patient = Patient(digest: digest, isManifest: isManifest)
        guard !running.contains(patient), !waiting.contains(patient),
            waiting.count < Self.waitingMax
        else { return }
        waiting.append(patient)
        startNext()
    }

    /// Looks after a damaged digest if it was pushed: for what was pulled, who noticed does.
    func healPushed(_ digest: Digest) {
        let links = (try? index.links(to: digest, limit: Self.namesMax)) ?? []
        guard links.contains(where: { HostedKey.isHosted($0.repository) }) else { return }
        heal(digest, isManifest: false)
    }

    private func startNext() {
        while running.count < Self.runningMax, !waiting.isEmpty {
            let patient = waiting.removeFirst()
            running.insert(patient)
            loop.spawn { [self] in
                await fetch(patient)
                await ended(patient)
            }
        }
    }

    private func ended(_ patient: Patient) {
        running.remove(patient)
        startNext()
    }

    /// Asks those who have shown it, in turn, until one has it.
    private func fetch(_ patient: Patient) async {
        let links = (try? index.links(to: patient.digest, limit: Self.namesMax)) ?? []
        for link in links {
            let proxy = members.withLock { $0[link.repository]?.proxy }
            guard let proxy else { continue }
            if await proxy.refetch(link.name, patient.digest, isManifest: patient.isManifest) {
                return
            }
        }
        let pushed = links.filter { HostedKey.isHosted($0.repository) }
        if !pushed.isEmpty { lost(patient.digest, pushed) }
    }
}
