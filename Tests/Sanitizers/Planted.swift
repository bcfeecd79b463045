import Glibc
import Synchronization

/// What the sanitizers must report and what they must not, tried by `scripts/sanitize` before each
/// run: a check that cannot fail proves nothing.
///
///     planted sound     nothing to report: threads contend for a `Mutex`, and resume a task
///     planted race      threads write one word without a lock
///     planted late      a thread writes to what it has handed over by resuming a task
///     planted freed     memory is read after it was given back
@main enum Planted {
    private typealias Failing = UnsafeContinuation<Void, any Error>

    static func main() async {
        let shared = Shared()
        switch CommandLine.arguments.dropFirst().first {
        case "race": contend { shared.plain += 1 }
        case "late": await handOver(shared, late: true)
        case "freed": readAfterFree()
        default:
            contend { shared.change() }
            await handOver(shared, late: false)
        }
    }

    /// Runs `body` many times on each of four threads, all at once.
    private static func contend(_ body: @escaping @Sendable () -> Void) {
        let ready = Count()
        let threads = (0..<4).map { _ in
            start {
                ready.add()
                ready.wait(for: 4)
                for _ in 0..<100_000 { body() }
            }
        }
        for thread in threads { pthread_join(thread, nil) }
    }

    /// Waits many times for a thread that fills in a result, and then reads what it wrote.
    ///
    /// Every other time the thread has resumed the task before it comes to wait.
    private static func handOver(_ shared: Shared, late: Bool) async {
        let thread = start { shared.work() }
        let done = Count()
        for number in 1...5000 {
            let list = await withUnsafeContinuation { continuation in
                shared.give {
                    if !late { shared.plain += 1 }
                    continuation.resume(returning: [number])
                    if late { shared.plain += 1 }
                    done.add()
                }
                if number % 2 == 0 { done.wait(for: number) }
            }
            shared.plain += list.count
            try? await withUnsafeThrowingContinuation { (continuation: Failing) in
                shared.give { continuation.resume(throwing: CancellationError()) }
            }
        }
        shared.end()
        pthread_join(thread, nil)
    }

    private static func readAfterFree() {
        let memory = UnsafeMutablePointer<Int>.allocate(capacity: 4)
        memory.initialize(repeating: 1, count: 4)
        memory.deallocate()
        print(memory[2])
    }

    private static func start(_ body: @escaping @Sendable () -> Void) -> pthread_t {
        var thread = pthread_t()
        let body = Unmanaged.passRetained(Body(body)).toOpaque()
        pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, body)
        return thread
    }
}

/// What the threads share.
final class Shared: Sendable {
    private let list = Mutex<[Int]>([])
    private let jobs = Mutex<[@Sendable () -> Void]>([])
    private let isOver = Atomic<Bool>(false)
    /// Protected by nothing; that is what the planted races are about.
    nonisolated(unsafe) var plain = 0

    func change() {
        list.withLock { list in
            list.append(list.count)
            if list.count > 10 { list.removeAll() }
        }
    }

    /// Hands a job to the thread that runs `work`.
    func give(_ job: @escaping @Sendable () -> Void) {
        jobs.withLock { $0.append(job) }
    }

    func work() {
        while !isOver.load(ordering: .acquiring) {
            let job = jobs.withLock { $0.popLast() }
            if let job { job() } else { sched_yield() }
        }
    }

    func end() {
        isOver.store(true, ordering: .releasing)
    }
}

/// Counts without handing anything over.
final class Count: Sendable {
    private let value = Atomic<Int>(0)

    func add() { value.wrappingAdd(1, ordering: .relaxed) }

    func wait(for count: Int) {
        while value.load(ordering: .relaxed) < count { sched_yield() }
    }
}

/// A closure as an object, to be given to a thread.
final class Body: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }
}
