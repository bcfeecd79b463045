import TestSupport
import Testing

/// Runs each test of a suite on a thread of its own, as blocking sockets and processes need.
///
/// A test also takes a share of the machine, so that those that load it do not run together.
struct RealPartsTrait: SuiteTrait, TestTrait, TestScoping {
    let share: Int
    var isRecursive: Bool { true }

    @concurrent
    func provideScope(
        for test: Test, testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        // A test inherits its suite's share; its own, if larger, counts instead.
        let shares = test.traits.compactMap { ($0 as? RealPartsTrait)?.share }
        guard share == shares.max() ?? share else { return try await function() }
        await Machine.shared.take(share)
        do {
            try await withTaskExecutorPreference(ThreadExecutor.shared) { try await function() }
        } catch {
            await Machine.shared.giveBack(share)
            throw error
        }
        await Machine.shared.giveBack(share)
    }
}

extension Trait where Self == RealPartsTrait {
    /// A test with real sockets or processes that leaves room for others.
    static var realParts: Self { RealPartsTrait(share: 1) }
    /// A test that wants the machine for itself.
    static var wholeMachine: Self { RealPartsTrait(share: Machine.shares) }
}

/// Shares of the machine, given in order of asking.
private actor Machine {
    static let shared = Machine()
    static let shares = 4
    private var free = Machine.shares
    private var waiters: [(share: Int, resume: CheckedContinuation<Void, Never>)] = []

    func take(_ share: Int) async {
        if waiters.isEmpty, free >= share {
            free -= share
            return
        }
        await withCheckedContinuation { waiters.append((share, $0)) }
    }

    func giveBack(_ share: Int) {
        free += share
        while let first = waiters.first, free >= first.share {
            free -= first.share
            waiters.removeFirst().resume.resume()
        }
    }
}

/// A task executor that gives every job a thread.
private final class ThreadExecutor: TaskExecutor {
    static let shared = ThreadExecutor()

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedTaskExecutor()
        ThreadStarter.start { job.runSynchronously(on: executor) }
    }
}

/// Whether the long forms of the tests were asked for: `CISTERN_TEST_LONG=1`.
let isLongRun = environment("CISTERN_TEST_LONG") != nil
