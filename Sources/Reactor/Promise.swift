import Synchronization

/// A value that many wait for and one provides, once; usable from any loop.
package final class Promise<Value: Sendable>: Sendable {
    private enum State {
        case waiting([UInt64: UnsafeContinuation<Value?, Never>], nextToken: UInt64)
        case fulfilled(Value)
    }

    private let state = Mutex(State.waiting([:], nextToken: 0))

    package init() {}

    /// Provides the value and wakes everyone; later calls change nothing.
    package func fulfil(_ value: Value) {
        let waiting = state.withLock { state -> [UnsafeContinuation<Value?, Never>] in
            guard case .waiting(let waiting, _) = state else { return [] }
            state = .fulfilled(value)
            return waiting.sorted { $0.key < $1.key }.map(\.value)
        }
        for continuation in waiting { continuation.resume(returning: value) }
    }

    /// The value, if it is there already.
    package var current: Value? {
        state.withLock {
            if case .fulfilled(let value) = $0 { return value }
            return nil
        }
    }

    /// How many wait for the value now.
    package var waiters: Int {
        state.withLock {
            if case .waiting(let waiting, _) = $0 { return waiting.count }
            return 0
        }
    }

    /// The value, or nil when `bound` passes first on `loop`, the caller's own.
    package func value(within bound: Duration, on loop: EventLoop) async -> Value? {
        if let current { return current }
        var timer: LoopTimer?
        defer { timer?.cancel() }
        return await withUnsafeContinuation { continuation in
            let outcome = state.withLock { state -> (value: Value?, token: UInt64?) in
                switch state {
                case .fulfilled(let value): return (value, nil)
                case .waiting(var waiting, let token):
                    waiting[token] = continuation
                    state = .waiting(waiting, nextToken: token &+ 1)
                    return (nil, token)
                }
            }
            guard let token = outcome.token else {
                continuation.resume(returning: outcome.value)
                return
            }
            timer = loop.timer(after: bound) { [self] in giveUp(token) }
        }
    }

    private func giveUp(_ token: UInt64) {
        let continuation = state.withLock { state -> UnsafeContinuation<Value?, Never>? in
            guard case .waiting(var waiting, let next) = state else { return nil }
            let continuation = waiting.removeValue(forKey: token)
            state = .waiting(waiting, nextToken: next)
            return continuation
        }
        continuation?.resume(returning: nil)
    }
}
