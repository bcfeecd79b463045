import Reactor

/// Lets so many through at a time, in the order they came.
actor Turnstile {
    private let loop: EventLoop
    private var free: Int
    private var waiting: [UnsafeContinuation<Void, Never>] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ loop: EventLoop, places: Int) {
        self.loop = loop
        free = places
    }

    /// Does `body` in a place of its own.
    nonisolated func pass<T>(
        _ body: () async throws(CopyFailure) -> T
    ) async throws(CopyFailure) -> T {
        await enter()
        do throws(CopyFailure) {
            let value = try await body()
            await leave()
            return value
        } catch {
            await leave()
            throw error
        }
    }

    private func enter() async {
        guard free == 0 else {
            free -= 1
            return
        }
        await withUnsafeContinuation { waiting.append($0) }
    }

    private func leave() {
        guard !waiting.isEmpty else {
            free += 1
            return
        }
        waiting.removeFirst().resume()
    }
}
