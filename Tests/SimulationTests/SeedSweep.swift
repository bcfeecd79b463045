import Glibc
import Synchronization
import TestSupport

/// Runs many seeds on as many threads as there are processors.
///
/// `CISTERN_SIMULATION_SEEDS=N` asks for so many, `CISTERN_SIMULATION_FIRST=N` says where they
/// begin, `CISTERN_TEST_SEED=N` runs that one alone. `scripts/simulate` sets these.
enum SeedSweep {
    struct Failure: Sendable {
        let seed: UInt64
        let text: String
    }

    /// The seeds asked for.
    static func seeds(count: UInt64) -> Range<UInt64> {
        if let one = number("CISTERN_TEST_SEED") { return one..<(one + 1) }
        let first = number("CISTERN_SIMULATION_FIRST") ?? 1
        return first..<(first + (number("CISTERN_SIMULATION_SEEDS") ?? count))
    }

    private static func number(_ name: String) -> UInt64? {
        environment(name).flatMap { UInt64($0) }
    }

    /// Runs `body` with each seed and gives those that fail.
    static func failures(
        of seeds: Range<UInt64>, _ body: @escaping @Sendable (UInt64) throws -> [String]
    ) throws -> [Failure] {
        let next = Atomic<UInt64>(seeds.lowerBound)
        let found = Mutex<[Failure]>([])
        let threads = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        _ = try concurrently(threads, within: .seconds(86_400)) { _ in
            while true {
                let seed = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard seed < seeds.upperBound else { return }
                let texts: [String]
                do { texts = try body(seed) } catch { texts = ["\(error)"] }
                found.withLock { $0 += texts.map { Failure(seed: seed, text: $0) } }
                report(seed, seeds, texts)
            }
        }
        return found.withLock { $0.sorted { $0.seed < $1.seed } }
    }

    /// Long sweeps say how far they are.
    private static func report(_ seed: UInt64, _ seeds: Range<UInt64>, _ texts: [String]) {
        guard number("CISTERN_SIMULATION_SEEDS") != nil else { return }
        for text in texts { print("seed \(seed): \(text)") }
        let done = seed - seeds.lowerBound + 1
        if done % 1000 == 0 { print("\(done) of \(seeds.count) seeds") }
        fflush(nil)
    }
}
