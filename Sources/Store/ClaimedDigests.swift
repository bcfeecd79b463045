import OCI
import Synchronization

/// What an eviction has claimed so far, also if its transaction fails in the end.
final class ClaimedDigests: Sendable {
    private let digests = Mutex<[Digest]>([])

    func add(_ more: [Digest]) {
        digests.withLock { $0 += more }
    }

    var all: [Digest] { digests.withLock { $0 } }
}
