import Glibc
import Linux
import Reactor
import Synchronization

/// A file whose content counts as it is at each request (AUTH-5).
///
/// Looking whether it has changed is one system call on a name that the kernel has in memory;
/// reading it is a worker's.
final class WatchedFile<Value: Sendable>: Sendable {
    private struct State {
        var identity: FileIdentity?
        var bytes: [UInt8]?
        var value: Value
        /// When this identity was met first.
        var firstSeen: Instant
        /// Read so long after it was met first that a later change must show in its times.
        var isSettled = false
    }

    /// Longer than the kernel's clock for times of files takes for a step.
    private static var settlingTime: Duration { .milliseconds(40) }

    private let path: String
    private let bytesMax: Int
    private let workers: WorkerPool
    private let parse: @Sendable ([UInt8]?) -> Value
    private let state: Mutex<State?>

    /// `parse` makes the value of the bytes, or of nil where there is no file that can be read.
    init(
        _ path: String, bytesMax: Int, workers: WorkerPool,
        parse: @escaping @Sendable ([UInt8]?) -> Value
    ) {
        self.path = path
        self.bytesMax = bytesMax
        self.workers = workers
        self.parse = parse
        state = Mutex(nil)
    }

    /// What the file says now.
    func value(_ loop: EventLoop) async -> Value {
        let identity = (try? System.status(path)).map { FileIdentity($0) }
        let known = state.withLock { state -> Value? in
            guard let state, state.isSettled, state.identity == identity else { return nil }
            return state.value
        }
        if let known { return known }
        let started = loop.now
        let read = await workers.run { [path, bytesMax] in Self.read(path, bytesMax) }
        let ended = loop.now
        return state.withLock { state in
            // Read again only to be sure.
            if let known = state, known.identity == read.identity, known.bytes == read.bytes {
                let isSettled = started - known.firstSeen >= Self.settlingTime
                state?.isSettled = known.isSettled || isSettled
                return known.value
            }
            let value = parse(read.bytes)
            state = State(
                identity: read.identity, bytes: read.bytes, value: value, firstSeen: ended)
            return value
        }
    }

    private static func read(
        _ path: String, _ bytesMax: Int
    ) -> (identity: FileIdentity?, bytes: [UInt8]?) {
        do throws(Errno) {
            // Without O_NONBLOCK a pipe in the file's place would hold the worker for ever.
            let file = try System.open(path, O_RDONLY | O_NONBLOCK)
            let status = try System.fstat(file.raw)
            guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= bytesMax else {
                return (FileIdentity(status), nil)
            }
            let bytes = try System.readAll(file.raw, bytesMax: bytesMax)
            return (FileIdentity(status), bytes)
        } catch {
            return (nil, nil)
        }
    }
}
