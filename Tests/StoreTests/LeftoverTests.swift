import Glibc
import Index
import OCI
import Reactor
import TestSupport
import Testing

@testable import Store

/// A fetch that a crash or a stop interrupted is gone on with by the next run (UP-4, DUR-5).
struct LeftoverTests {
    private let content = Content(size: 5 << 20, seed: 1)
    private var size: Int64 { Int64(content.bytes.count) }

    /// The real time, which files have too.
    private static func clock() -> ManualClock {
        let clock = ManualClock()
        clock.setWall(seconds: Int64(time(nil)))
        return clock
    }

    /// Leaves the first `count` bytes of `content` behind, as kill -9 would.
    private func leave(
        _ count: Int, in directory: TemporaryDirectory, announced: Bool = true
    ) async throws {
        let fixture = try await StoreFixture.reopened(directory, clock: Self.clock())
        let writer = try await fixture.store.writer(
            for: content.digest, size: announced ? size : nil)
        try await StoreFixture.append(Array(content.bytes[..<count]), to: writer)
    }

    private func goOn(_ fixture: StoreFixture, announced: Bool = true) async throws -> BlobWriter {
        let writer = try await fixture.store.writer(
            for: content.digest, size: announced ? size : nil, continues: true)
        #expect(writer.written == 0)
        try await writer.rehash()
        #expect(writer.written == writer.leftover)
        return writer
    }

    @Test(arguments: [true, false])
    func whatWasThere_isHashedAndExtended(announced: Bool) async throws {
        let directory = try TemporaryDirectory()
        try await leave(3_000_000, in: directory, announced: announced)
        let fixture = try await StoreFixture.reopened(directory, clock: Self.clock())
        let store = fixture.store
        #expect(fixture.events.swept == 0)
        #expect(store.leftover(of: content.digest) == 2_999_999)
        #expect(fixture.disk <= store.ledger.snapshot.used)
        await store.reconcile()
        let writer = try await goOn(fixture, announced: announced)
        #expect(writer.leftover == 2_999_999)
        #expect(store.leftover(of: content.digest) == nil)
        #expect(fixture.disk <= store.ledger.snapshot.used)
        try await StoreFixture.append(Array(content.bytes[2_999_999...]), to: writer)
        #expect(try await writer.finish() == size)
        #expect(await fixture.read(content) == content.bytes)
        #expect(fixture.files.count == 1)
        #expect(try store.index.pending().isEmpty)
        #expect(store.ledger.snapshot.reserved == 0)
        #expect(store.ledger.snapshot.committed == store.index.totals.disk)
        #expect(fixture.disk <= store.ledger.snapshot.used)
    }

    @Test func anOrderlyEnd_leavesItToo() async throws {
        let directory = try TemporaryDirectory()
        do {
            let fixture = try await StoreFixture.reopened(directory, clock: Self.clock())
            let writer = try await fixture.store.writer(for: content.digest, size: size)
            try await StoreFixture.append(Array(content.bytes[..<1_000_000]), to: writer)
            await fixture.store.close()
            await #expect(throws: StoreError.closed) { try await writer.append(Chunk([1])) }
            await writer.abandon()
        }
        let fixture = try await StoreFixture.reopened(directory, clock: Self.clock())
        #expect(fixture.store.leftover(of: content.digest) == 999_999)
    }

    // Within one run, too: an upstream that is turned off is no reason to begin anew.
    @Test func whatAWriterLeaves_isGoneOnWith() async throws {
        let directory = try TemporaryDirectory()
        let fixture = try await StoreFixture.reopened(directory, clock: Self.clock())
        let store = fixture.store
        for (round, count) in [1_000_000, 2_000_000].enumerated() {
            let writer = try await store.writer(
                for: content.digest, size: size, continues: round > 0)
            if round > 0 { try await writer.rehash() }
            let bytes = content.bytes[Int(writer.written)..<count]
            try await StoreFixture.append(Array(bytes), to: writer)
            await writer.leave()
            #expect(writer.file.progress.phase == .failed)
            #expect(store.leftover(of: content.digest) == Int64(count) - 1)
            #expect(store.ledger.snapshot.reserved == 0)
            #expect(fixture.disk <= store.ledger.snapshot.used)
            #expect(try store.index.pending().map(\.digest) == [content.digest])
        }
        let writer = try await goOn(fixture)
        try await StoreFixture.append(Array(content.bytes[1_999_999...]), to: writer)
        #expect(try await writer.finish() == size)
        #expect(await fixture.read(content) == content.bytes)
        #expect(fixture.files.count == 1)
        #expect(try store.index.pending().isEmpty)
        // Nothing was written: nothing is left.
        let other = Content(size: 1000, seed: 2)
        await (try await store.writer(for: other.digest, size: 1000)).leave()
        #expect(store.leftover(of: other.digest) == nil && fixture.growing.isEmpty)
    }

    @Test func oneThatRotted_isAMismatch_andGone() async throws {
        // INT-1
        let directory = try TemporaryDirectory()
        try await leave(3_000_000, in: directory)
        let fixture = try await StoreFixture.reopened(directory, clock: Self.clock())
        let path = try #require(fixture.growing.first)
        let file = Glibc.open(path, O_WRONLY)
        #expect(pwrite(file, [UInt8(0), 0, 0], 3, 1_000_000) == 3)
        Glibc.close(file)
        let writer = try await goOn(fixture)
        try await StoreFixture.append(Array(content.bytes[2_999_999...]), to: writer)
        await #expect(throws: StoreError.self) { try await writer.finish() }
        #expect(fixture.events.mismatches == 1)
        #expect(fixture.files.isEmpty)
        try await fixture.store(content)
        #expect(await fixture.read(content) == content.bytes)
    }

    @Test func oneThatBeganOtherwiseThanWasShown_isAMismatch() async throws {
        // INT-4
        let directory = try TemporaryDirectory()
        try await leave(3_000_000, in: directory)
        let fixture = try await StoreFixture.reopened(directory, clock: Self.clock())
        let writer = try await fixture.store.writer(
            for: content.digest, size: size, continues: true)
        writer.expect([.init(count: 2_000_000, digest: Content([1]).digest)])
        await #expect(throws: StoreError.self) { try await writer.rehash() }
        #expect(writer.written < 3_000_000)
        #expect(fixture.growing.isEmpty)
        await writer.abandon()
        #expect(fixture.store.ledger.snapshot.reserved == 0)
    }

    @Test func itGoesBeforeAnythingThatIsStored() async throws {
        let directory = try TemporaryDirectory()
        let stored = Content(size: 4 << 20, seed: 2)
        try await leave(3_000_000, in: directory)
        let fixture = try await StoreFixture.reopened(
            directory, maxSize: 16 << 20, clock: Self.clock())
        try await fixture.store(stored)
        try await fixture.store(Content(size: 8 << 20, seed: 3))
        #expect(fixture.store.leftover(of: content.digest) == nil)
        #expect(fixture.growing.isEmpty)
        #expect(try fixture.isStored(stored))
        #expect(try fixture.store.index.pending().isEmpty)
        #expect(fixture.disk <= fixture.store.ledger.snapshot.used)
    }

    @Test func itGoesAfterADay() async throws {
        let directory = try TemporaryDirectory()
        try await leave(3_000_000, in: directory)
        let clock = Self.clock()
        do {
            let fixture = try await StoreFixture.reopened(directory, clock: clock)
            await fixture.store.flushRecency()
            #expect(fixture.growing.count == 1)
            clock.advance(by: .seconds(Leftovers.ageMax + 60))
            await fixture.store.flushRecency()
            #expect(fixture.growing.isEmpty)
            #expect(try fixture.store.index.pending().isEmpty)
        }
        // A start a day later removes it at once.
        try await leave(3_000_000, in: directory)
        let fixture = try await StoreFixture.reopened(directory, clock: clock)
        #expect(fixture.events.swept == 1)
        #expect(fixture.growing.isEmpty)
    }

    @Test func ofEachDigest_theLongestIsKept() async throws {
        let directory = try TemporaryDirectory()
        do {
            let fixture = try await StoreFixture.reopened(directory, clock: Self.clock())
            var writers: [BlobWriter] = []
            for count in [1000, 90_000, 2000] {
                let writer = try await fixture.store.writer(for: content.digest, size: nil)
                try await StoreFixture.append(Array(content.bytes[..<count]), to: writer)
                writers.append(writer)
            }
        }
        let fixture = try await StoreFixture.reopened(directory, clock: Self.clock())
        #expect(fixture.events.swept == 1)
        #expect(fixture.growing.count == 1)
        #expect(fixture.store.leftover(of: content.digest) == 89_999)
        // Somebody who does not want it gets another file.
        try await fixture.store(content)
        #expect(fixture.files.count == 1)
        #expect(try fixture.store.index.pending().isEmpty)
    }

    @Test func oneThatThePowerCutFromTheIndex_isFoundLater() async throws {
        let directory = try TemporaryDirectory()
        try await leave(3_000_000, in: directory)
        do {
            let fixture = try await StoreFixture.reopened(directory, clock: Self.clock())
            try await fixture.store.index.settle([content.digest])
        }
        let fixture = try await StoreFixture.reopened(directory, clock: Self.clock())
        #expect(fixture.store.leftover(of: content.digest) == nil)
        await fixture.store.reconcile()
        #expect(fixture.store.leftover(of: content.digest) == 2_999_999)
        #expect(try fixture.store.index.pending().map(\.digest) == [content.digest])
        #expect(fixture.disk <= fixture.store.ledger.snapshot.used)
    }

    @Test func withTheIndexLost_itIsStillGoneOnWith() async throws {
        // DUR-4
        let directory = try TemporaryDirectory()
        try await leave(3_000_000, in: directory)
        try Files.write(directory.file("store/index.db"), Array("this is no database".utf8))
        let fixture = try await StoreFixture.reopened(directory, clock: Self.clock())
        #expect(fixture.store.leftover(of: content.digest) == 2_999_999)
        await fixture.store.reconcile()
        #expect(try fixture.store.index.pending().map(\.digest) == [content.digest])
        let writer = try await goOn(fixture)
        try await StoreFixture.append(Array(content.bytes[2_999_999...]), to: writer)
        #expect(try await writer.finish() == size)
    }
}
