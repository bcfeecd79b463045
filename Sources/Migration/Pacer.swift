import Reactor

/// When to try again: after a failure that may pass, and when a registry said for how long it
/// wants to be left alone.
actor Pacer {
    /// How often a failure that may pass is tried again.
    private static let retriesMax = 4
    private static let firstPause = Duration.milliseconds(500)
    /// A registry that says 429 without a time.
    private static let limitPause = Duration.seconds(10)
    /// How often one request is put off by a registry's limit.
    private static let limitsMax = 360
    /// How long all limits together may keep one request waiting.
    private static let waitMax = Duration.seconds(3600)

    nonisolated let loop: EventLoop
    private let scoreboard: Scoreboard
    private var pausedUntil: [Side: Instant] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ loop: EventLoop, _ scoreboard: Scoreboard) {
        self.loop = loop
        self.scoreboard = scoreboard
    }

    /// Does `body` until it succeeds, or until it is hopeless.
    nonisolated func attempt<T>(
        _ body: () async throws(CopyFailure) -> T
    ) async throws(CopyFailure) -> T {
        var failures = 0
        var limits = 0
        var waited = Duration.zero
        while true {
            try await awaitPermission()
            let failure: CopyFailure
            do throws(CopyFailure) {
                return try await body()
            } catch {
                failure = error
            }
            if Task.isCancelled { throw CopyFailure(failure.side, "", .interrupted) }
            if failure.isLimit {
                // A registry that says "at once" while it refuses is left alone all the same.
                let pause = max(failure.retryAfter ?? Self.limitPause, Self.firstPause)
                waited = waited + pause
                limits += 1
                guard waited <= Self.waitMax, limits <= Self.limitsMax else { throw failure }
                await note(pause, for: failure.side)
                continue
            }
            guard failure.isWorthRepeating, failures < Self.retries(after: failure) else {
                throw failure
            }
            scoreboard.retried()
            try await pause(Self.firstPause * (1 << failures))
            failures += 1
        }
    }

    /// Bytes that are wrong twice stay wrong.
    private static func retries(after failure: CopyFailure) -> Int {
        if case .content = failure.cause { 1 } else { retriesMax }
    }

    private func note(_ pause: Duration, for side: Side) {
        let until = loop.now + pause
        guard until > pausedUntil[side] ?? Instant(nanoseconds: 0) else { return }
        pausedUntil[side] = until
        scoreboard.limited(side, until: until)
    }

    /// Waits until both registries may be asked.
    private func awaitPermission() async throws(CopyFailure) {
        while true {
            let until = pausedUntil.values.max() ?? Instant(nanoseconds: 0)
            let left = until - loop.now
            guard left > .zero else {
                if Task.isCancelled { throw CopyFailure(.source, "", .interrupted) }
                return
            }
            try await pause(left)
        }
    }

    /// Waits, in slices short enough that an interruption is not kept waiting.
    private nonisolated func pause(_ duration: Duration) async throws(CopyFailure) {
        let until = loop.now + duration
        while loop.now < until {
            if Task.isCancelled { throw CopyFailure(.source, "", .interrupted) }
            await loop.pause(for: min(until - loop.now, .milliseconds(200)))
        }
    }
}
