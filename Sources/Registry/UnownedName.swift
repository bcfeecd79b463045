import Index
import OCI
import Synchronization

/// A name that no hosted member of a group owned when it was looked up: what a proxy gave under it
/// may be given again as long as that is so (AUTH-10).
final class UnownedName: Sendable {
    private let name: RepositoryName
    private let hosted: [HostedRepository]
    private let content: Content
    /// What the index had counted when that was looked up last.
    private let pushes: Atomic<UInt64>

    /// To be made before anybody is asked who owns the name.
    init(_ name: RepositoryName, in hosted: [HostedRepository], _ content: Content) {
        self.name = name
        self.hosted = hosted
        self.content = content
        pushes = Atomic(content.index.pushes)
    }

    /// Whether it still is; looked up only after something has been pushed.
    var holds: Bool {
        let pushes = content.index.pushes
        if self.pushes.load(ordering: .relaxed) == pushes { return true }
        guard !hosted.contains(where: { $0.owns(name) }) else { return false }
        self.pushes.store(pushes, ordering: .relaxed)
        return true
    }
}
