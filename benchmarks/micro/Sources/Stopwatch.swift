import Glibc
import Synchronization

/// Runs a benchmark in rounds and tells the CPU time of one operation.
struct Stopwatch {
    /// Operations per round; nil for as many as `roundNanoseconds` hold.
    let count: Int?
    let rounds: Int

    private static let roundNanoseconds: Int64 = 50_000_000
    /// Where outcomes go: somebody might look.
    private static let outcomes = Atomic<Int>(0)

    /// Nanoseconds of one operation, the median of the rounds.
    func time<Measured: Benchmark>(
        _ type: Measured.Type, _ scratch: Scratch
    ) async throws -> Double {
        var benchmark = try await type.init(scratch)
        let count = try self.count ?? Self.calibrate(&benchmark)
        var times: [Double] = []
        for _ in 0..<rounds {
            times.append(Double(try Self.round(&benchmark, count)) / Double(count))
        }
        return times.sorted()[rounds / 2]
    }

    /// How many operations make a round.
    private static func calibrate(_ benchmark: inout some Benchmark) throws -> Int {
        var count = 1
        while try round(&benchmark, count) < roundNanoseconds { count *= 2 }
        return count
    }

    /// CPU nanoseconds that this thread takes for `count` operations, the kernel's included.
    private static func round(_ benchmark: inout some Benchmark, _ count: Int) throws -> Int64 {
        let begin = threadNanoseconds()
        var outcome = 0
        for _ in 0..<count { outcome &+= try benchmark.run() }
        let end = threadNanoseconds()
        outcomes.add(outcome, ordering: .relaxed)
        return end - begin
    }

    private static func threadNanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
