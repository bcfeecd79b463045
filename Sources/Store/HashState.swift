import Synchronization

/// How far the hash of a blob is, for those who go on from there each by itself.
package final class HashState: Sendable {
    /// How many bytes are in it.
    package let count: Int64
    private let hash: Mutex<StreamingHash>

    init(count: Int64, _ hash: consuming StreamingHash) {
        self.count = count
        self.hash = Mutex(hash)
    }

    package func copy() -> StreamingHash { hash.withLock { $0.copy() } }
}
