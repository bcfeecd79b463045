import Glibc
package import Linux
import Synchronization

/// Threads for what blocks: hashing, writing, fsync, cold reads, SQLite's writer.
///
/// Every job has a waiting task behind it, so the queue is bounded by the number of tasks.
package final class WorkerPool: Sendable {
    private enum Mode: Sendable {
        case threads(JobQueue)
        case simulated(EventLoop)
    }

    /// What is added to the niceness of threads that hash and write for as long as they are let.
    ///
    /// A tenth of the weight of a loop: where both want one core, whoever is served from the store
    /// does not wait for the time slice of a fetch. With more of it a fetch on one core takes
    /// longer, since the loop is woken for each packet and not for many.
    package static let giveWay: Int32 = 10

    private let mode: Mode

    /// Starts `threads` threads; with one, jobs run strictly in the order they were given.
    package init(threads: Int, name: String, niceness: Int32 = 0) throws(Errno) {
        let queue = JobQueue()
        mode = .threads(queue)
        for index in 0..<threads {
            try Thread.start(
                name: threads == 1 ? name : "\(name)-\(index)", niceness: niceness
            ) { queue.work() }
        }
    }

    /// A pool whose jobs run on a simulated loop, in the order its seed draws.
    package init(simulatedOn loop: EventLoop) {
        mode = .simulated(loop)
    }

    deinit {
        if case .threads(let queue) = mode { queue.close() }
    }

    /// Runs `body` on a worker; the caller resumes on its own executor.
    package func run<T: Sendable, E: Error>(
        _ body: @escaping @Sendable () throws(E) -> T
    ) async throws(E) -> T {
        switch mode {
        case .simulated(let loop):
            await loop.yield()
            return try body()
        case .threads(let queue):
            let result: Result<T, E> = await withUnsafeContinuation { continuation in
                queue.add {
                    do throws(E) {
                        continuation.resume(returning: .success(try body()))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                }
            }
            return try result.get()
        }
    }
}

/// A queue that threads wait on.
///
/// `@unchecked Sendable`: `jobs` and `closed` are only touched while `mutex` is held.
private final class JobQueue: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var jobs: [@Sendable () -> Void] = []
    private var head = 0
    private var closed = false

    init() {
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func add(_ job: @escaping @Sendable () -> Void) {
        pthread_mutex_lock(mutex)
        jobs.append(job)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    func close() {
        pthread_mutex_lock(mutex)
        closed = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    func work() {
        while let job = next() { job() }
    }

    private func next() -> (@Sendable () -> Void)? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while head == jobs.count && !closed { pthread_cond_wait(condition, mutex) }
        guard head < jobs.count else { return nil }
        let job = jobs[head]
        head += 1
        if head == jobs.count || head > 256 {
            jobs.removeFirst(head)
            head = 0
        }
        return job
    }
}
