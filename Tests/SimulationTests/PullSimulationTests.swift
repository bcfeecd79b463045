import Glibc
import OCI
import Reactor
import Registry
import Store
import Synchronization
import TestSupport
import Testing

/// Random schedules of pulls, disconnects, upstream faults, evictions and restarts on the seeded
/// loop; after each step the promises hold.
///
/// A failing seed replays exactly.
@Suite struct PullSimulationTests {
    /// Seeds per run; `CISTERN_SIMULATION_SEEDS` asks for more.
    static let seeds: Range<UInt64> = {
        let asked = getenv("CISTERN_SIMULATION_SEEDS").flatMap { UInt64(String(cString: $0)) }
        return 1..<((asked ?? 40) + 1)
    }()

    private static let stepsPerRun = 60

    @Test(arguments: seeds)
    func promisesHoldUnderARandomSchedule(seed: UInt64) throws {
        let outcome = try run(seed: seed)
        #expect(outcome.wrong == [], "seed \(seed): a wrong body completed")
        #expect(outcome.overLimit == [], "seed \(seed): the disk limit was exceeded")
        #expect(outcome.transfersMost <= 1, "seed \(seed): one cold blob, several transfers")
        #expect(outcome.unanswered == 0, "seed \(seed): clients wait for ever")
        #expect(outcome.rightAtTheEnd, "seed \(seed): pulls are right again once the faults end")
    }

    @Test func aSeedReplaysExactly() throws {
        let first = try run(seed: 4711)
        let second = try run(seed: 4711)
        #expect(first.sights == second.sights)
        #expect(!first.sights.isEmpty)
    }

    private struct Outcome {
        var sights: [Sight] = []
        var wrong: [Sight] = []
        var overLimit: [Int64] = []
        var transfersMost = 0
        var unanswered = 0
        var rightAtTheEnd = false
    }

    private func run(seed: UInt64) throws -> Outcome {
        var generator = Reactor.SeededGenerator(seed: seed)
        let images = SimulatedImages(count: 8, using: &generator)
        let directory = try TemporaryDirectory()
        let clock = ManualClock()
        let log = SightLog(blobs: images.blobs)
        let unanswered = Counter()
        var outcome = Outcome()
        var daemon = try SimulatedDaemon(
            root: directory.path, images: images, seed: seed, clock: clock)
        for step in 0..<Self.stepsPerRun {
            act(step, on: daemon, images, log, unanswered, &generator)
            check(daemon, directory.path, &outcome)
            if Int.random(in: 0..<25, using: &generator) == 0 {
                daemon.loop.advance(by: .seconds(300))
                outcome.transfersMost = max(outcome.transfersMost, daemon.transfersMost)
                daemon.close()
                daemon = try SimulatedDaemon(
                    root: directory.path, images: images, seed: seed &+ UInt64(step),
                    clock: clock)
            }
        }
        daemon.loop.advance(by: .seconds(2000))
        check(daemon, directory.path, &outcome)
        outcome.transfersMost = max(outcome.transfersMost, daemon.transfersMost)
        outcome.unanswered = unanswered.value
        outcome.rightAtTheEnd = pullOnce(daemon, images, log)
        outcome.sights = log.all
        outcome.wrong = log.all.filter { $0.end == .completed(isRight: false) }
        daemon.close()
        return outcome
    }

    /// One random thing happens.
    private func act(
        _ step: Int, on daemon: SimulatedDaemon, _ images: SimulatedImages, _ log: SightLog,
        _ unanswered: Counter, _ generator: inout Reactor.SeededGenerator
    ) {
        guard let image = images.images.randomElement(using: &generator),
            let blob = image.blobs.randomElement(using: &generator)
        else { return }
        let client = daemon.client(step, log)
        let byDigest = Bool.random(using: &generator)
        let patience =
            Bool.random(using: &generator)
            ? Int64.random(in: 0..<500_000, using: &generator) : nil
        let start =
            Bool.random(using: &generator)
            ? Int64.random(in: 0..<500_000, using: &generator) : 0
        switch Int.random(in: 0..<10, using: &generator) {
        case 0..<5:
            daemon.spawn(unanswered) { await client.pull(image, by: byDigest) }
        case 5..<8:
            daemon.spawn(unanswered) {
                await client.read(image.name, blob, leavingAfter: patience, from: start)
            }
        case 8:
            daemon.upstream.set(
                down: Int.random(in: 0..<4, using: &generator) == 0,
                faultShare: Double.random(in: 0..<0.6, using: &generator))
        default:
            let pause = Duration.milliseconds(Int.random(in: 1..<30_000, using: &generator))
            daemon.loop.advance(by: pause)
        }
        daemon.loop.runUntilIdle(turnsMax: Int.random(in: 1..<2000, using: &generator))
    }

    private func check(_ daemon: SimulatedDaemon, _ root: String, _ outcome: inout Outcome) {
        let used = Files.diskUsage(root)
        if used > SimulatedDaemon.maxSize { outcome.overLimit.append(used) }
        let statistics = daemon.store.statistics
        if statistics.usedBytes > SimulatedDaemon.maxSize {
            outcome.overLimit.append(statistics.usedBytes)
        }
    }

    /// With a good upstream every image can be pulled, whatever happened before.
    private func pullOnce(
        _ daemon: SimulatedDaemon, _ images: SimulatedImages, _ log: SightLog
    ) -> Bool {
        daemon.upstream.set(down: false, faultShare: 0)
        daemon.loop.advance(by: .seconds(1000))
        let last = SightLog(blobs: images.blobs)
        for image in images.images {
            let client = daemon.client(1000, last)
            daemon.loop.spawn { await client.pull(image, by: false) }
            daemon.loop.advance(by: .seconds(200))
        }
        let expected = images.images.reduce(0) { $0 + 1 + $1.blobs.count }
        let right = last.all.filter { $0.end == .completed(isRight: true) }
        for sight in last.all where sight.end != .completed(isRight: true) { log.add(sight) }
        return right.count == expected
    }
}

/// Clients that have not been answered yet.
final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add(_ change: Int) { count.wrappingAdd(change, ordering: .relaxed) }
}

extension SimulatedDaemon {
    func client(_ id: Int, _ log: SightLog) -> SimulatedClient {
        SimulatedClient(
            id: id, daemon: .init(repository: repository, loop: loop, content: content), log: log)
    }

    func spawn(_ unanswered: Counter, _ body: @escaping @Sendable () async -> Void) {
        unanswered.add(1)
        loop.spawn {
            await body()
            unanswered.add(-1)
        }
    }

    var transfersMost: Int { upstream.transfersMost.load(ordering: .relaxed) }
}
