import Linux
import OCI
import Reactor
import Synchronization

/// A file being hashed from its beginning, slice by slice, by one job after another.
final class FileScan: Sendable {
    private struct State: ~Copyable {
        var hash: StreamingHash
        var offset: Int64 = 0
    }

    private let file: GrowingFile
    private let progress: Mutex<State>

    init(_ file: GrowingFile, _ algorithm: Digest.Algorithm) {
        self.file = file
        progress = Mutex(State(hash: StreamingHash(algorithm)))
    }

    /// How far it is.
    var state: HashState { progress.withLock { HashState(count: $0.offset, $0.hash.copy()) } }

    /// Hashes a slice; false at the end.
    func advance() throws(Errno) -> Bool {
        try progress.withLock { state throws(Errno) in
            let isOver = try state.hash.update(
                from: file.fd, at: &state.offset, count: Int(BlobWriter.sliceBytes))
            return !isOver
        }
    }
}
