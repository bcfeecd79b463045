/// A job in a loop's queue.
struct LoopJob {
    let job: UnownedJob
    /// Whether it belongs to an actor that lives on the loop.
    let isIsolated: Bool
}

/// A loop as the executor of its actors; beside the loop itself, which runs tasks outside actors.
///
/// The runtime tells the two apart by identity: only so does a task know that it is where it wants
/// to be, and goes on without being queued again.
///
/// `@unchecked Sendable`: `loop` is set once, before anybody else knows of this object.
final class ActorExecutor: SerialExecutor, @unchecked Sendable {
    /// The owner, which therefore lives at least as long.
    private unowned(unsafe) var loop: EventLoop?

    func serve(_ loop: EventLoop) {
        self.loop = loop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        loop?.add(LoopJob(job: UnownedJob(job), isIsolated: true))
    }

    func checkIsolated() {
        loop?.checkIsolated()
    }

    func isIsolatingCurrentContext() -> Bool? {
        loop?.isCurrent
    }
}
