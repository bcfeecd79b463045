import Index
import OCI
import Reactor
import Synchronization
import TestSupport
import Testing

@testable import Store

struct EvictionTests {
    private static let layerBytes = 2 << 20

    private func layer(_ seed: UInt64) -> Content { Content(size: Self.layerBytes, seed: seed) }

    @Test func theOldestImage_makesRoom_whole() async throws {
        let fixture = try StoreFixture(maxSize: 15 << 20)
        let layers = (1...5).map { layer($0) }
        let old = try await fixture.image(101, [layers[0], layers[1]])
        for content in layers[0...1] { try await fixture.store(content) }
        let new = try await fixture.image(102, [layers[1], layers[2]])
        try await fixture.store(layers[2])
        fixture.store.markUsed(old.digest)
        fixture.store.markUsed(new.digest)
        for content in layers[3...] {
            try await fixture.store(content)
            fixture.store.markUsed(content.digest)
        }
        try await fixture.store(Content(size: 4 << 20, seed: 99))
        #expect(try !fixture.isStored(old) && !fixture.isStored(layers[0]))
        for content in [new, layers[1], layers[2]] { #expect(try fixture.isStored(content)) }
        #expect(fixture.disk <= 15 << 20)
        #expect(fixture.store.hot(layers[0].digest) == nil)
    }

    @Test func whatIsBeingRead_stays() async throws {
        // DUR-7
        let fixture = try StoreFixture(maxSize: 12 << 20)
        let held = layer(1)
        let other = layer(2)
        for content in [held, other] { try await fixture.store(content) }
        let file = try #require(await fixture.store.open(held.digest))
        file.addReader()
        for seed in 10..<16 { try await fixture.store(layer(UInt64(seed))) }
        #expect(try fixture.isStored(held) && !fixture.isStored(other))
        #expect(StoreFixture.read(file) == held.bytes)
        file.removeReader()
        _ = consume file
        for seed in 20..<26 { try await fixture.store(layer(UInt64(seed))) }
        #expect(try !fixture.isStored(held))
    }

    @Test func spaceOfUnlinkedFiles_isCounted_untilTheirLastReaderHasLeft() async throws {
        let fixture = try StoreFixture()
        func used() -> Int64 { fixture.store.ledger.snapshot.used }
        let before = used()
        let damaged = layer(1)
        try await fixture.store(damaged)
        var read = await fixture.store.open(damaged.digest)
        read?.addReader()
        await fixture.store.discard(damaged.digest)
        #expect(fixture.files.isEmpty)
        #expect(used() >= before + Int64(Self.layerBytes))
        read?.removeReader()
        read = nil
        #expect(used() < before + 100_000)

        let unwanted = layer(2)
        var growing: GrowingFile?
        do {
            let writer = try await fixture.store.writer(for: unwanted.digest, size: nil)
            growing = writer.file
            growing?.addReader()
            try await StoreFixture.append(unwanted.bytes, to: writer)
            await writer.abandon()
        }
        #expect(fixture.files.isEmpty)
        #expect(used() >= before + Int64(Self.layerBytes))
        growing = nil
        #expect(used() < before + 100_000)
    }

    @Test func theOwnImage_isNeverEvictedForItself() async throws {
        let fixture = try StoreFixture(maxSize: 12 << 20)
        let other = layer(1)
        try await fixture.store(other)
        let layers = (2...9).map { layer($0) }
        let manifest = try await fixture.image(100, layers)
        var stored = 0
        for content in layers {
            do {
                try await fixture.store(content)
                stored += 1
            } catch StoreError.full {
                break
            }
        }
        // Too large as a whole: what fits is kept, and the rest does not push it out.
        #expect(stored >= 3 && stored < layers.count)
        #expect(try fixture.isStored(manifest))
        for content in layers[..<stored] { #expect(try fixture.isStored(content)) }
        #expect(fixture.disk <= 12 << 20)
    }

    @Test func whatCanNeverFit_evictsNothing() async throws {
        let fixture = try StoreFixture(maxSize: 16 << 20)
        let stored = layer(1)
        try await fixture.store(stored)
        await #expect(throws: StoreError.full) {
            _ = try await fixture.store.writer(for: layer(2).digest, size: 17 << 20)
        }
        await #expect(throws: StoreError.full) {
            _ = try await fixture.store.writer(for: layer(2).digest, size: .max)
        }
        await #expect(throws: StoreError.full) {
            _ = try await fixture.store.writer(for: layer(2).digest, size: -1)
        }
        #expect(try fixture.isStored(stored))
    }

    @Test func anImageBeingFetched_goesOnlyIfNothingElseCan() async throws {
        let fixture = try StoreFixture(maxSize: 11 << 20)
        let (first, second) = (layer(1), layer(2))
        let fetched = try await fixture.image(100, [first, second])
        try await fixture.store(first)
        let writer = try await fixture.store.writer(
            for: second.digest, size: Int64(Self.layerBytes))
        let idle = layer(3)
        try await fixture.store(idle)
        fixture.store.markUsed(idle.digest)
        try await fixture.store(Content(size: 4 << 20, seed: 4))
        // The idle one was used later, and yet it went first.
        #expect(try !fixture.isStored(idle) && fixture.isStored(fetched))
        try await fixture.store(Content(size: 7 << 20, seed: 5))
        #expect(try !fixture.isStored(fetched) && !fixture.isStored(first))
        // Its writer goes on.
        try await StoreFixture.append(second.bytes, to: writer)
        _ = try await writer.finish()
        #expect(fixture.disk <= 11 << 20)
    }

    @Test func minFree_isKept() async throws {
        // DUR-6
        let fixture = try StoreFixture(minFree: 1 << 60)
        await #expect(throws: StoreError.full) { try await fixture.store(layer(1)) }
    }

    @Test func aLoweredLimit_isReachedByTrimming() async throws {
        let fixture = try StoreFixture(maxSize: 32 << 20)
        for seed in 1...8 { try await fixture.store(layer(UInt64(seed))) }
        try await fixture.store.apply(
            StoreLimits(maxSize: .bytes(12 << 20), minFree: .bytes(0)))
        await fixture.store.reconcile()
        #expect(fixture.disk <= 12 << 20)
        #expect(try fixture.isStored(layer(8)))
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func theDisk_neverHoldsMoreThanTheLimit(seed: UInt64) async throws {
        print("seed \(seed)")
        let limit: Int64 = 9 << 20
        let fixture = try StoreFixture(maxSize: limit)
        let sampler = DiskUsageSampler(fixture.root, interval: .milliseconds(1))
        let outcome = try await withThrowingTaskGroup(of: StormOutcome.self) { group in
            for worker in 0..<6 {
                group.addTask {
                    try await storm(fixture, Dice(seed: seed &* 100 &+ UInt64(worker)))
                }
            }
            return try await group.reduce(into: StormOutcome()) { $0.add($1) }
        }
        let most = sampler.stop()
        #expect(most <= limit, "seed \(seed): \(most)")
        #expect(outcome.stored > 20, "seed \(seed): \(outcome)")
        let snapshot = fixture.store.ledger.snapshot
        #expect(snapshot.reserved == 0)
        #expect(snapshot.committed == fixture.store.index.totals.disk)
        let onDisk = Files.walk("\(fixture.root)/blobs").filter { !$0.isDirectory }
        #expect(onDisk.count == fixture.store.index.totals.blobs)
        #expect(onDisk.reduce(0) { $0 + $1.diskBytes } == snapshot.committed)
        #expect(fixture.growing.isEmpty)
    }
}

/// What one writer of a storm saw.
private struct StormOutcome: Sendable {
    var stored = 0
    var refused = 0

    mutating func add(_ other: StormOutcome) {
        stored += other.stored
        refused += other.refused
    }
}

/// Writes, reads, abandons and corrupts contents of all sizes, some shared with other writers.
private func storm(_ fixture: StoreFixture, _ dice: Dice) async throws -> StormOutcome {
    var dice = dice
    var outcome = StormOutcome()
    for _ in 0..<30 {
        let seed = UInt64.random(in: 0..<60, using: &dice)
        let content = Content(size: Int(seed * seed * 300), seed: seed)
        if let file = await fixture.store.open(content.digest) {
            file.addReader()
            defer { file.removeReader() }
            #expect(StoreFixture.read(file) == content.bytes)
            fixture.store.markUsed(content.digest)
            continue
        }
        do {
            let isKnown = Bool.random(using: &dice)
            let writer = try await fixture.store.writer(
                for: content.digest, size: isKnown ? Int64(content.bytes.count) : nil)
            do {
                try await StoreFixture.append(content.bytes, to: writer, piece: 256 << 10)
                if Int.random(in: 0..<10, using: &dice) == 0 {
                    await writer.abandon()
                } else {
                    _ = try await writer.finish()
                    outcome.stored += 1
                }
            } catch {
                await writer.abandon()
                throw error
            }
        } catch StoreError.full {
            outcome.refused += 1
        }
    }
    return outcome
}
