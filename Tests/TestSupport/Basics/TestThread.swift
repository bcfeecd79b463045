import Glibc

/// A plain thread with a result that can be waited for.
package final class TestThread<Value: Sendable>: Sendable {
    private let outcome = Monitor<Result<Value, any Error>?>(nil)

    /// Starts `body` on a thread of its own.
    package init(_ body: @escaping @Sendable () throws -> Value) {
        let outcome = outcome
        ThreadStarter.start {
            let result = Result { try body() }
            outcome.with { $0 = result }
        }
    }

    /// Whether the body has ended.
    package var isFinished: Bool { outcome.read { $0 != nil } }

    /// Waits for the body's result and rethrows its error.
    package func value(within limit: Duration = .seconds(300)) throws -> Value {
        guard outcome.wait(limit, until: { $0 != nil }), let result = outcome.read({ $0 }) else {
            throw TestFailure("a test thread did not end within \(limit)")
        }
        return try result.get()
    }
}

/// Runs a long synchronous body off the pool that all asynchronous tests share.
package func offThePool<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        ThreadStarter.start { continuation.resume(with: Result { try body() }) }
    }
}

/// What went wrong in the support code, as a sentence.
package struct TestFailure: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Runs `count` bodies on threads at once and gives their results in order.
package func concurrently<Value: Sendable>(
    _ count: Int, within limit: Duration = .seconds(300),
    _ body: @escaping @Sendable (Int) throws -> Value
) throws -> [Value] {
    let threads = (0..<count).map { index in TestThread { try body(index) } }
    return try threads.map { try $0.value(within: limit) }
}

/// Starts detached threads with small stacks.
package enum ThreadStarter {
    private final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Runs `body` on a new thread that nobody joins.
    package static func start(_ body: @escaping @Sendable () -> Void) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, 1 << 20)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let box = Unmanaged.passRetained(Box(body)).toOpaque()
        let code = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, box)
        pthread_attr_destroy(&attributes)
        precondition(code == 0, "pthread_create failed: \(code)")
    }
}
