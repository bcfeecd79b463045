import Synchronization

/// A door for one task at a time, in the order in which they came.
///
/// Whoever needs space passes it, so that nobody takes what another is evicting for.
final class Gate: Sendable {
    private struct State {
        var isHeld = false
        var waiting: [UnsafeContinuation<Void, Never>] = []
        var head = 0
    }

    private let state = Mutex(State())

    /// Waits until the door is free and takes it.
    func enter() async {
        await withUnsafeContinuation { continuation in
            let isFree = state.withLock { state in
                if state.isHeld {
                    state.waiting.append(continuation)
                    return false
                }
                state.isHeld = true
                return true
            }
            if isFree { continuation.resume() }
        }
    }

    /// Hands the door to the next in line.
    func leave() {
        let next = state.withLock { state -> UnsafeContinuation<Void, Never>? in
            guard state.head < state.waiting.count else {
                state.waiting.removeAll()
                state.head = 0
                state.isHeld = false
                return nil
            }
            state.head += 1
            return state.waiting[state.head - 1]
        }
        next?.resume()
    }
}
