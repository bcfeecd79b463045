import Reactor
import TestSupport
import Testing

/// Random schedules of pulls, disconnects, upstream faults, evictions, restarts and kills of the
/// whole daemon on the seeded loop; the promises hold at every step.
///
/// A failing seed replays exactly: `CISTERN_TEST_SEED=N swift test --filter promisesHold`.
@Suite(.serialized) struct SimulationTests {
    private static let seedsByDefault: UInt64 = 2000
    private static let failuresShown = 20

    // INT-1, INT-4, UP-1, UP-2, UP-5, UP-6, DUR-5, DUR-6
    @Test func promisesHoldUnderRandomSchedules() async throws {
        let seeds = SeedSweep.seeds(count: Self.seedsByDefault)
        let failures = try await offThePool {
            try SeedSweep.failures(of: seeds) { seed in
                let run = try Self.run(seed, keepsTrace: seeds.count == 1)
                for line in run.trace.lines { print(line) }
                return run.violations
            }
        }
        for failure in failures.prefix(Self.failuresShown) {
            Issue.record("seed \(failure.seed): \(failure.text)")
        }
        #expect(
            failures.isEmpty, "\(Set(failures.map(\.seed)).count) of \(seeds.count) seeds failed")
    }

    @Test func aSeedReplaysExactly() async throws {
        for seed in UInt64(1)...12 {
            let first = try await offThePool { try Self.run(seed, keepsTrace: true).trace.lines }
            let second = try await offThePool { try Self.run(seed, keepsTrace: true).trace.lines }
            let difference = zip(first, second).first { $0 != $1 }
            #expect(difference == nil, "seed \(seed)")
            #expect(first.count == second.count, "seed \(seed)")
            #expect(first.count > 20)
        }
    }

    private static func run(
        _ seed: UInt64, keepsTrace: Bool = false
    ) throws -> (violations: [String], trace: Trace) {
        var (violations, stores, trace) = try lived(seed, keepsTrace)
        stores.removeAll { $0.value == nil }
        // Whoever still holds one is a task that waits for ever.
        if !stores.isEmpty { violations.append("\(stores.count) daemons are still waited for") }
        return (violations, trace)
    }

    private static func lived(
        _ seed: UInt64, _ keepsTrace: Bool
    ) throws -> ([String], [WeakStore], Trace) {
        let simulation = try Simulation(seed: seed, keepsTrace: keepsTrace)
        _ = try simulation.run()
        let stores = simulation.bury()
        return (simulation.violations, stores, simulation.trace)
    }
}
