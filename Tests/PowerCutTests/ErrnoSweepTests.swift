import CFaults
import Glibc
import OCI
import Reactor
import Synchronization
import TestSupport
import Testing

@testable import Store

/// Every call of start, fetch, eviction, damage and stop fails in turn (P6, DUR-2, DUR-4, SWIFT-3).
///
/// In the process, so that SQLite's calls are among them; `E49` does it to the built daemon.
@Suite struct ErrnoSweepTests {
    private static let parts = 8
    private static let done = Monitor(0)

    /// Every fault of every call with `CISTERN_TEST_LONG=1`, else every sixteenth.
    @Test(arguments: 0..<parts)
    func anIOErrorCostsOneObjectNotTheCache(part: Int) async throws {
        let seed = TestSupport.SeededGenerator.seedOfThisRun()
        let isLong = environment("CISTERN_TEST_LONG") != nil
        let (problems, count) = try await offThePool {
            var plans = try Self.plans().enumerated().filter { $0.offset % Self.parts == part }
                .map(\.element)
            var generator = Reactor.SeededGenerator(seed: seed)
            if !isLong { plans = Array(plans.shuffled(using: &generator).prefix(plans.count / 16)) }
            return (try plans.flatMap { try Self.problems($0) }, plans.count)
        }
        print("errno sweep \(part): CISTERN_TEST_SEED=\(seed)")
        let total = Self.done.with { done in
            done += count
            return done
        }
        PromiseReport.add(
            "P6", "calls of the store that failed, one at a time",
            figure: "\(problems.count) problems, \(total) faults", bound: "0",
            held: problems.isEmpty)
        #expect(problems.prefix(5) == [], "CISTERN_TEST_SEED=\(seed)")
    }

    /// One fault at a time, and a disk that answers nothing for a while.
    private static func plans() throws -> [FaultInjector.Plan] {
        let injector = FaultInjector()
        let directory = try TemporaryDirectory.inMemory()
        let scenario = Scenario(directory.path)
        try injector.run { try scenario.run() }
        #expect(injector.calls.count > 300)
        let single = injector.calls.enumerated().flatMap { number, call in
            FaultInjector.faults(of: call).map {
                FaultInjector.Plan(fault: $0, first: number, count: 1)
            }
        }
        let long = stride(from: 0, to: injector.calls.count, by: 3).flatMap { number in
            [EIO, ENOSPC].map {
                FaultInjector.Plan(fault: .error($0), first: number, count: 1 + number % 97)
            }
        }
        return single + long
    }

    private static func problems(_ plan: FaultInjector.Plan) throws -> [String] {
        let directory = try TemporaryDirectory.inMemory()
        let scenario = Scenario(directory.path)
        let injector = FaultInjector(plan)
        var problems: [String] = []
        do {
            try injector.run { try scenario.run() }
        } catch {
            // At the start: an error that says why.
            if "\(error)".isEmpty { problems.append("an error without a word") }
        }
        problems += scenario.problems
        if injector.hasRetriedSync { problems.append("fsync was tried again") }
        // Without faults all is well again, and what was lasting is there.
        problems +=
            ImageCheck(
                directory.path, scenario.stock, scenario.expected, seed: 1,
                maxSize: Scenario.maxSize
            ).problems
        return problems.map { "\(plan), \(injector.hits.prefix(3)): \($0)" }
    }
}

/// A short life of a store: fetches with and without a size, an image, an eviction, damage, a
/// restart.
private final class Scenario: Sendable {
    static let maxSize: Int64 = (1 << 20) + (420 << 10)

    let stock = Stock(seed: 3)
    private let top: String
    private let found = Mutex<[String]>([])
    private let stored = Mutex<[FileOperation]>([])

    init(_ top: String) {
        self.top = top
    }

    var problems: [String] { found.withLock { $0 } }

    /// What was lasting when the last session ended, as far as it may not have been evicted.
    var expected: Expectation {
        let operations = stored.withLock { $0 }
        var expected = Expectation(operations, operations.count)
        for item in stock.blobs + stock.manifests { expected.mayLose(item.digest.hex) }
        return expected
    }

    func run() throws {
        for session in 0..<2 {
            let run = try StoreRun(top, seed: 1, maxSize: Self.maxSize)
            let end = Mutex(false)
            run.run { store in
                await self.use(store, session)
                await store.close()
                end.withLock { $0 = true }
            }
            if !end.withLock({ $0 }) { note("session \(session) hangs") }
        }
    }

    private func note(_ problem: String) { found.withLock { $0.append(problem) } }

    private func use(_ store: BlobStore, _ session: Int) async {
        if session == 1 { await store.reconcile() }
        let blobs = stock.blobs
        // The last ones do not fit beside each other.
        for number in [5, 9, 12, 13, 14, 15] where number % 2 == session {
            await fetch(blobs[number], isKnown: number % 3 != 0, store)
            await check(blobs[number], store)
        }
        await fetch(stock.manifests[session], isKnown: true, store)
        store.markUsed(stock.manifests[session].digest)
        await store.flushRecency()
        await store.discard(blobs[session == 0 ? 12 : 5].digest)
        for item in blobs { await check(item, store) }
        // A fault that is over leaves nothing behind.
        let last = blobs[session]
        await fetch(last, isKnown: true, store)
    }

    private func fetch(_ item: Stock.Item, isKnown: Bool, _ store: BlobStore) async {
        do throws(StoreError) {
            let size = Int64(item.bytes.count)
            let writer = try await store.writer(for: item.digest, size: isKnown ? size : nil)
            do throws(StoreError) {
                for half in [
                    item.bytes.prefix(item.bytes.count / 2),
                    item.bytes.suffix(
                        item.bytes.count - item.bytes.count / 2),
                ] where !half.isEmpty {
                    try await writer.append(Chunk(Array(half)))
                }
                _ = try await writer.finish()
            } catch {
                await writer.abandon()
                throw error
            }
        } catch {
            switch error {
            case .mismatch, .wrongSize: note("right bytes were called wrong: \(error)")
            default: break
            }
        }
    }

    private func check(_ item: Stock.Item, _ store: BlobStore) async {
        guard let file = await store.open(item.digest) else { return }
        guard let bytes = try? Files.read("/proc/self/fd/\(file.fd)") else { return }
        if bytes != item.bytes { note("wrong bytes of \(item.digest)") }
    }
}
