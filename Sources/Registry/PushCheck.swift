package import OCI
package import Reactor
import Store
import Synchronization

/// A hash over pushed bytes that are not written, on the workers as all hashing is.
package final class PushCheck: Sendable {
    private let workers: WorkerPool
    private let hash: Mutex<StreamingHash>

    init(_ algorithm: Digest.Algorithm, _ workers: WorkerPool) {
        self.workers = workers
        hash = Mutex(StreamingHash(algorithm))
    }

    package func add(_ chunk: Chunk) async {
        await workers.run {
            self.hash.withLock { hash in chunk.withBytes { hash.update($0) } }
        }
    }

    /// The digest of all that was added.
    package var digest: Digest { hash.withLock { $0.digestSoFar() } }
}
