import CLinux
import Glibc
package import Linux
import Synchronization

/// One thread with an epoll set, timers and a queue of jobs; executor of all that lives on it.
///
/// Actors that live on a loop name it as their `unownedExecutor`; tasks are started by `spawn`, so
/// that code between two awaits of sockets never leaves the thread. In a simulation the same type
/// has no thread: a test runs it, a seed draws which job is next, and a `ManualClock` says what
/// time it is, so that a run can be replayed. Sockets, if any, are looked at without waiting.
///
/// `@unchecked Sendable`: `inbox`, `thread` and `stopping` are what other threads may touch and
/// are synchronised; everything else is touched on the loop's own thread only.
package final class EventLoop: TaskExecutor, @unchecked Sendable {
    /// Jobs run between two looks at the sockets.
    static let jobsPerTurnMax = 512

    package let name: String
    package let clock: LoopClock
    private let inbox = Mutex<[LoopJob]>([])
    private let thread = Atomic<UInt>(0)
    private let stopping = Atomic<Bool>(false)
    private let wakeUpPending = Atomic<Bool>(false)

    private let actors = ActorExecutor()
    private let poller: Poller?
    private var busyPolling = BusyPolling()
    private var timers = TimerQueue()
    private var ready: [LoopJob] = []
    private var readyHead = 0
    private var yielded: [UnsafeContinuation<Void, Never>] = []
    private var simulation: SeededGenerator?
    /// Called after each turn with the time it took, for the lag metric.
    private let turnTook: (@Sendable (Duration) -> Void)?

    private init(
        name: String, clock: LoopClock, poller: Poller?, seed: UInt64?,
        turnTook: (@Sendable (Duration) -> Void)? = nil
    ) {
        self.turnTook = turnTook
        self.name = name
        self.clock = clock
        self.poller = poller
        simulation = seed.map { SeededGenerator(seed: $0) }
        actors.serve(self)
    }

    /// A loop on a thread of its own.
    package static func start(
        name: String, clock: LoopClock = .system,
        turnTook: (@Sendable (Duration) -> Void)? = nil
    ) throws(Errno) -> EventLoop {
        let loop = EventLoop(
            name: name, clock: clock, poller: try Poller(), seed: nil, turnTook: turnTook)
        try Thread.start(name: name) { loop.run() }
        return loop
    }

    /// A loop without a thread, driven by `runUntilIdle`; `seed` decides the order of jobs.
    package convenience init(simulating seed: UInt64, clock: ManualClock) {
        self.init(name: "simulation", clock: .manual(clock), poller: nil, seed: seed)
    }

    /// The same with sockets: a run can be replayed if their other ends live on the same thread.
    package convenience init(
        simulatingSockets seed: UInt64, clock: ManualClock
    ) throws(Errno) {
        self.init(name: "simulation", clock: .manual(clock), poller: try Poller(), seed: seed)
    }

    package var now: Instant { clock.now }

    /// Whether the caller is on this loop's thread.
    package var isCurrent: Bool {
        thread.load(ordering: .relaxed) == UInt(pthread_self())
    }

    // MARK: - Executor

    /// Takes a job of a task that prefers this loop and is in no actor.
    package func enqueue(_ job: consuming ExecutorJob) {
        add(LoopJob(job: UnownedJob(job), isIsolated: false))
    }

    /// What actors that live on this loop name as their executor.
    package func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: actors)
    }

    /// Queues a job, whichever thread calls.
    func add(_ job: LoopJob) {
        if isCurrent {
            ready.append(job)
        } else {
            inbox.withLock { $0.append(job) }
            wakeUp()
        }
    }

    package func checkIsolated() {
        precondition(isCurrent, "called off the loop \(name)")
    }

    /// Starts a task that runs on this loop, whichever thread calls.
    package func spawn(_ body: @escaping @Sendable () async -> Void) {
        Task(executorPreference: self) { await body() }
    }

    /// Runs a synchronous piece on this loop soon, whichever thread calls.
    package func post(_ body: @escaping @Sendable () -> Void) {
        Task(executorPreference: self) { body() }
    }

    private func wakeUp() {
        guard let poller, !wakeUpPending.exchange(true, ordering: .acquiringAndReleasing)
        else { return }
        var one: UInt64 = 1
        _ = Glibc.write(poller.wakeUpDescriptor, &one, 8)
    }

    // MARK: - Time

    /// Calls `fire` on the loop once `delay` has passed.
    ///
    /// Only from the loop.
    @discardableResult
    package func timer(after delay: Duration, _ fire: @escaping () -> Void) -> LoopTimer {
        let timer = LoopTimer(deadline: now + delay, fire: fire)
        timers.add(timer)
        return timer
    }

    /// Suspends the calling task for `delay`.
    ///
    /// Only from tasks of the loop.
    package func sleep(for delay: Duration) async {
        await withUnsafeContinuation { continuation in
            timer(after: delay) { continuation.resume() }
        }
    }

    /// Suspends the calling task for `delay`, whichever thread it is on.
    package func pause(for delay: Duration) async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            post { self.timer(after: delay) { continuation.resume() } }
        }
    }

    /// Lets everything else that is ready go first; resumes in the loop's next turn.
    package func yield() async {
        await withUnsafeContinuation { continuation in
            yielded.append(continuation)
        }
    }

    // MARK: - Sockets

    /// Calls `handler` on the loop whenever `fd` shows what `interest` names.
    ///
    /// Only from the loop.
    package func watch(
        _ fd: Int32, _ interest: Interest, _ handler: @escaping (Interest) -> Void
    ) throws(Errno) -> Watch {
        guard let poller else { throw Errno(ENOSYS, "watch in a simulation") }
        return Watch(poller, try poller.add(fd, interest, handler))
    }

    // MARK: - Running

    /// Makes the loop end after its current turn; jobs still queued are dropped.
    package func stop() {
        stopping.store(true, ordering: .releasing)
        wakeUp()
    }

    private func run() {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        // The condition must stay visible to the optimiser: a loop without an exit leaks.
        while !stopping.load(ordering: .acquiring) { turn() }
        thread.store(0, ordering: .relaxed)
    }

    private func turn() {
        awaitEvents()
        let started = now
        poller?.dispatch()
        wakeUpPending.store(false, ordering: .releasing)
        takeInbox()
        fireTimers()
        resumeYielded()
        runJobs(max: Self.jobsPerTurnMax)
        if let turnTook { turnTook(now - started) }
    }

    /// Waits until something has to be done, if there is nothing.
    private func awaitEvents() {
        guard let poller else { return }
        let timeout = pollTimeout()
        if timeout == 0 {
            _ = poller.wait(timeout: 0)
            return
        }
        let began = now
        if !(busyPolling.isWorthIt && find(until: began + BusyPolling.timeMax, poller)) {
            _ = poller.wait(timeout: timeout)
        }
        if poller.hasOnlyRoom {
            busyPolling.foundOnlyRoom()
        } else {
            busyPolling.waited(now - began)
        }
    }

    /// Looks for events without sleeping; whether there were any.
    private func find(until end: Instant, _ poller: Poller) -> Bool {
        repeat {
            if poller.wait(timeout: 0) { return true }
        } while now < end
        busyPolling.foundNothing()
        return false
    }

    /// Milliseconds until something has to be done; rounded up, so that no timer spins.
    private func pollTimeout() -> Int32 {
        if readyHead < ready.count || !yielded.isEmpty { return 0 }
        guard let deadline = timers.nextDeadline() else { return -1 }
        let wait = (deadline - now).wholeNanoseconds
        if wait <= 0 { return 0 }
        return Int32(clamping: wait / 1_000_000 + 1)
    }

    private func takeInbox() {
        inbox.withLock {
            if $0.isEmpty { return }
            busyPolling.heardOfOthers()
            ready.append(contentsOf: $0)
            $0.removeAll(keepingCapacity: true)
        }
    }

    private func fireTimers() {
        let now = self.now
        while let timer = timers.popDue(at: now) { timer.fireOnce() }
    }

    private func resumeYielded() {
        guard !yielded.isEmpty else { return }
        let batch = yielded
        yielded.removeAll(keepingCapacity: true)
        for continuation in batch { continuation.resume() }
    }

    private func runJobs(max: Int) {
        var count = 0
        while count < max, let job = nextJob() {
            run(job)
            count += 1
        }
    }

    /// A job runs as what it was queued as: run as an actor's, code outside actors would be queued
    /// again at every call that may suspend.
    private func run(_ job: LoopJob) {
        if job.isIsolated {
            job.job.runSynchronously(
                isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
        } else {
            job.job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }

    private func nextJob() -> LoopJob? {
        guard readyHead < ready.count else {
            ready.removeAll(keepingCapacity: true)
            readyHead = 0
            return nil
        }
        if var generator = simulation {
            let drawn = Int.random(in: readyHead..<ready.count, using: &generator)
            ready.swapAt(readyHead, drawn)
            simulation = generator
        }
        let job = ready[readyHead]
        readyHead += 1
        if readyHead > 4096 {
            ready.removeFirst(readyHead)
            readyHead = 0
        }
        return job
    }

    // MARK: - Simulation

    /// Runs everything that can run now and gives how many turns that took.
    ///
    /// Simulation only.
    @discardableResult
    package func runUntilIdle(turnsMax: Int = 1_000_000) -> Int {
        precondition(simulation != nil, "only a simulated loop is driven by hand")
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        defer { thread.store(0, ordering: .relaxed) }
        var turns = 0
        while turns < turnsMax {
            if poller?.wait(timeout: 0) == true { poller?.dispatch() }
            takeInbox()
            fireTimers()
            resumeYielded()
            if readyHead >= ready.count { return turns }
            runJobs(max: 1)
            turns += 1
        }
        return turns
    }

    /// When the next timer is due, if there is one.
    ///
    /// Simulation only.
    package var nextDeadline: Instant? { timers.nextDeadline() }

    /// Moves the manual clock and runs what became due, timer by timer.
    package func advance(by delay: Duration) {
        guard case .manual(let clock) = clock else { return }
        let end = clock.now + delay
        runUntilIdle()
        while let deadline = timers.nextDeadline(), deadline <= end {
            if deadline > clock.now { clock.advance(by: deadline - clock.now) }
            runUntilIdle()
        }
        if end > clock.now { clock.advance(by: end - clock.now) }
        runUntilIdle()
    }
}

/// A descriptor's place in a loop's epoll set; on the loop only.
package final class Watch {
    private let poller: Poller
    private let registration: Registration

    init(_ poller: Poller, _ registration: Registration) {
        self.poller = poller
        self.registration = registration
    }

    /// Changes what the descriptor is watched for.
    package func update(_ interest: Interest) throws(Errno) {
        try poller.update(registration, interest)
    }

    /// Ends the watch; events already fetched are dropped.
    package func cancel() {
        poller.remove(registration)
    }
}
