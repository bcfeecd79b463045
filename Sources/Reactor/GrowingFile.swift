package import Linux
import Synchronization

/// A file that many read while at most one writes; a complete file is the same type.
///
/// Hit, miss and "somebody is already fetching" are thereby one read path.
///
/// | phase    | entered by             | readers may be sent                              |
/// |----------|------------------------|--------------------------------------------------|
/// | growing  | `init(growing:)`       | what is written, but never the end of their body |
/// | complete | `complete()`, digest ok | everything                                      |
/// | failed   | `fail()`               | nothing more: the body is cut short              |
package final class GrowingFile: Sendable {
    package enum Phase: Sendable { case growing, complete, failed }

    /// A consistent view of how far the file is.
    package struct Progress: Sendable {
        package var written: Int64
        /// The final size, once it is known.
        package var total: Int64?
        package var phase: Phase
    }

    /// How much of the end of a body is withheld until its digest agrees (INT-1).
    package static let withheldBytes: Int64 = 16 << 10

    /// How a body goes on of which the file will not get the rest.
    package struct Continuation: Sendable {
        /// Up to here the file has the bytes.
        package let offset: Int64
        /// Opens the rest for one reader; its end waits for the digest of the whole (INT-1).
        package let open: @Sendable () async throws -> any ChunkStream

        package init(
            offset: Int64, open: @escaping @Sendable () async throws -> any ChunkStream
        ) {
            self.offset = offset
            self.open = open
        }
    }

    private struct Waiter {
        let offset: Int64
        let token: UInt64
        let continuation: UnsafeContinuation<Void, Never>
    }

    private struct State {
        var progress: Progress
        var readers = 0
        /// What the file looked like when its bytes were verified.
        var identity: FileIdentity?
        var isPublished = false
        var waiters: [Waiter] = []
        var continuation: Continuation?
        var held: [any Sendable] = []
    }

    private let descriptor: FileDescriptor
    /// What of the file is in memory.
    package let residency = Residency()
    private let state: Mutex<State>
    private static let tokens = Atomic<UInt64>(1)

    /// A file that is about to be written from its first byte.
    package init(growing descriptor: consuming FileDescriptor, total: Int64?) {
        self.descriptor = descriptor
        state = Mutex(State(progress: Progress(written: 0, total: total, phase: .growing)))
    }

    /// A file whose bytes have been verified.
    package init(complete descriptor: consuming FileDescriptor, size: Int64) {
        self.descriptor = descriptor
        state = Mutex(State(progress: Progress(written: size, total: size, phase: .complete)))
    }

    /// A file whose bytes were verified when it looked like `identity` (INT-9).
    package init(complete descriptor: consuming FileDescriptor, identity: FileIdentity) {
        self.descriptor = descriptor
        let size = identity.size
        state = Mutex(
            State(
                progress: Progress(written: size, total: size, phase: .complete),
                identity: identity))
    }

    /// The open file; valid as long as this object is held.
    package var fd: Int32 { descriptor.raw }

    package var progress: Progress { state.withLock { $0.progress } }

    /// Whether nobody has changed the file since its bytes were verified; one fstat.
    ///
    /// True also while that is not known, as for a file that was written a moment ago.
    package var isUnchanged: Bool {
        guard let identity else { return true }
        guard let status = try? System.fstat(fd) else { return false }
        return FileIdentity(status) == identity
    }

    // MARK: - Writer

    /// Says how long the file will be, when the upstream tells only later.
    package func announce(total: Int64) {
        change { $0.total = total }
    }

    /// Says that the first `written` bytes are in the file now.
    package func extend(to written: Int64) {
        change { $0.written = max($0.written, written) }
    }

    /// Says that the digest agrees: the withheld end is released.
    package func complete() {
        change {
            guard $0.phase == .growing else { return }
            $0.phase = .complete
            $0.total = $0.written
        }
    }

    /// Says that no more bytes will come; every reader cuts its body short, but for those of the
    /// whole if there is another way for them to go on.
    package func fail(continuing continuation: Continuation? = nil) {
        state.withLock { state in
            if state.progress.phase == .growing { state.continuation = continuation }
        }
        change {
            guard $0.phase == .growing else { return }
            $0.phase = .failed
        }
    }

    /// Says that the file has its lasting name from now on, by which others may change it.
    package func publish() {
        state.withLock { $0.isPublished = true }
    }

    /// Whether its writer has published it: who comes now looks at what lies in the store instead
    /// (INT-9).
    package var isPublished: Bool { state.withLock { $0.isPublished } }

    /// Says what the file looked like when its bytes were verified (INT-9).
    package func identify(as identity: FileIdentity) {
        state.withLock { $0.identity = identity }
    }

    /// What it looked like then; nil for what was written a moment ago or is being verified.
    package var identity: FileIdentity? { state.withLock { $0.identity } }

    private func change(_ body: (inout Progress) -> Void) {
        let woken = state.withLock { state -> [Waiter] in
            body(&state.progress)
            let progress = state.progress
            let isSatisfied = { (waiter: Waiter) in
                progress.phase != .growing || progress.written > waiter.offset
            }
            let woken = state.waiters.filter(isSatisfied)
            if !woken.isEmpty { state.waiters.removeAll(where: isSatisfied) }
            return woken
        }
        for waiter in woken { waiter.continuation.resume() }
    }

    /// How readers of the whole go on after a failure, if they can.
    package var continuation: Continuation? { state.withLock { $0.continuation } }

    /// Keeps `object` for as long as the file is open: the space of a file that is unlinked is
    /// taken until its last reader has left.
    package func hold(_ object: some Sendable) {
        state.withLock { $0.held.append(object) }
    }

    // MARK: - Readers

    /// Suspends until more than `offset` bytes are written or the phase is final.
    ///
    /// `token` lets somebody else end the wait early by `release`, say when the client is gone.
    package func progress(beyond offset: Int64, token: UInt64 = 0) async -> Progress {
        await withUnsafeContinuation { continuation in
            let isReady = state.withLock { state in
                if state.progress.phase != .growing || state.progress.written > offset {
                    return true
                }
                state.waiters.append(
                    Waiter(offset: offset, token: token, continuation: continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
        return progress
    }

    /// A token for `progress(beyond:token:)` that is used nowhere else in the process.
    package static func makeToken() -> UInt64 {
        tokens.wrappingAdd(1, ordering: .relaxed).oldValue
    }

    /// Ends the wait that was made with `token`, if it still lasts.
    package func release(_ token: UInt64) {
        let woken = state.withLock { state -> [Waiter] in
            let woken = state.waiters.filter { $0.token == token }
            state.waiters.removeAll { $0.token == token }
            return woken
        }
        for waiter in woken { waiter.continuation.resume() }
    }

    package func addReader() { state.withLock { $0.readers += 1 } }

    package func removeReader() { state.withLock { $0.readers -= 1 } }

    /// How many bodies are being sent from the file.
    package var readers: Int { state.withLock { $0.readers } }

    /// How far a reader may be sent now whose range ends at `end` (nil: at the file's end).
    ///
    /// Until the digest agrees the end of every reader's body is withheld, whatever range it asked
    /// for (INT-1, INT-4); with an unknown size that is the end of what has been written.
    package func sendable(upTo end: Int64?) -> Int64 {
        let progress = self.progress
        switch progress.phase {
        case .complete: return min(end ?? progress.written, progress.written)
        case .failed: return 0
        case .growing:
            let limit = (end ?? progress.total ?? progress.written) - Self.withheldBytes
            return max(0, min(progress.written, limit))
        }
    }
}
