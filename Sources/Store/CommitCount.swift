import Synchronization

/// How many commits are under way, for the end to wait for.
///
/// A client has its whole body as soon as the digest agrees, a moment before the file is made
/// lasting: a stop right after a pull must not lose what was pulled.
final class CommitCount: Sendable {
    private struct State {
        var count = 0
        var waiting: [UnsafeContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func begin() {
        state.withLock { $0.count += 1 }
    }

    func end() {
        let woken = state.withLock { state -> [UnsafeContinuation<Void, Never>] in
            state.count -= 1
            guard state.count == 0 else { return [] }
            defer { state.waiting.removeAll() }
            return state.waiting
        }
        for continuation in woken { continuation.resume() }
    }

    /// Suspends until no commit is under way.
    func drained() async {
        await withUnsafeContinuation { continuation in
            let isIdle = state.withLock { state in
                if state.count > 0 { state.waiting.append(continuation) }
                return state.count == 0
            }
            if isIdle { continuation.resume() }
        }
    }
}
