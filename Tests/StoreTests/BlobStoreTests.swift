import Glibc
import Index
import OCI
import Reactor
import TestSupport
import Testing

@testable import Store

struct BlobStoreTests {
    @Test func aSecondInstance_isRefused() throws {
        // DUR-8
        let fixture = try StoreFixture()
        #expect(throws: StoreError.locked(path: fixture.root)) {
            try StoreFixture(fixture.directory)
        }
    }

    // A child that is being started has one of everything that is open.
    @Test func aCopyOfTheLocksDescriptor_doesNotHoldTheLock() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("store")
        var copy: Int32 = -1
        defer { close(copy) }
        do {
            let layout = try StoreLayout(path: path)
            let lock = try #require(Self.inode { lstat("\(layout.path)/lock", &$0) })
            for fd in 0..<Int32(4096) where copy < 0 {
                if Self.inode({ fstat(fd, &$0) }) == lock { copy = dup(fd) }
            }
        }
        #expect(copy >= 0)
        #expect(throws: Never.self) { try StoreLayout(path: path) }
    }

    private static func inode(_ look: (inout stat) -> Int32) -> UInt64? {
        var status = stat()
        return look(&status) == 0 ? UInt64(status.st_ino) : nil
    }

    @Test func aHit_writesNothingToTheIndex() async throws {
        let fixture = try StoreFixture()
        let content = Content(size: 1000, seed: 1)
        try await fixture.store(content)
        let changes = fixture.store.index.totalChanges
        for _ in 0..<1000 {
            #expect(await fixture.store.open(content.digest) != nil)
            fixture.store.markUsed(content.digest)
        }
        #expect(fixture.store.index.totalChanges == changes)
        await fixture.store.flushRecency()
        // However many hits: one row.
        #expect(fixture.store.index.totalChanges == changes + 1)
    }

    @Test func usesAreWrittenOnceAMinute_howeverOftenItIsTidied() async throws {
        let fixture = try StoreFixture()
        let content = Content(size: 1000, seed: 1)
        try await fixture.store(content)
        await fixture.store.flushRecency()
        let changes = fixture.store.index.totalChanges
        for second in 1...60 {
            let file = await fixture.store.open(content.digest)
            #expect(file != nil && fixture.store.ready(content.digest) === file)
            fixture.clock.advance(by: .seconds(1))
            await fixture.store.tidy()
            #expect(fixture.store.index.totalChanges == changes + (second == 60 ? 1 : 0))
        }
    }

    @Test func whatIsReady_isVerifiedAndAsItWas() async throws {
        // INT-9
        let fixture = try StoreFixture(openFilesMax: 1)
        let first = Content(size: 1000, seed: 1)
        let second = Content(size: 1000, seed: 2)
        for content in [first, second] {
            try await fixture.store(content)
            // What was just written is verified when it is served first.
            #expect(fixture.store.ready(content.digest) == nil)
            #expect(await fixture.store.open(content.digest) != nil)
        }
        let unknown = Content(size: 1000, seed: 3)
        #expect(fixture.store.ready(unknown.digest) == nil)
        // Open or not: there is room for one.
        for content in [first, second, first, second, second] {
            let file = try #require(fixture.store.ready(content.digest))
            #expect(file.progress.phase == .complete && file.progress.total == 1000)
        }
        #expect(fixture.store.files.count == 1)
        // Changed on disk since it was verified, the open one and the other.
        for content in [second, first] {
            let path = "\(fixture.root)/\(StoreFixture.path(content))"
            #expect(truncate(path, 999) == 0)
            #expect(fixture.store.ready(content.digest) == nil)
        }
    }

    @Test func whatIsDistrusted_isVerifiedAgain_thoughItLooksTheSame() async throws {
        // INT-9
        let fixture = try StoreFixture()
        let content = Content(size: 1000, seed: 1)
        try await fixture.store(content)
        let file = try #require(await fixture.store.open(content.digest))
        #expect(fixture.store.ready(content.digest) === file)
        fixture.store.distrust(file, of: content.digest)
        #expect(fixture.store.ready(content.digest) == nil)
        let found = try #require(await fixture.store.find(content.digest))
        #expect(await found.verification?.run() == true)
        #expect(fixture.store.ready(content.digest) != nil)
    }

    @Test func whatWasNotVerifiedInThisRun_isNotReady() async throws {
        // INT-9
        let directory = try TemporaryDirectory()
        let content = Content(size: 1000, seed: 1)
        do {
            let fixture = try StoreFixture(directory)
            try await fixture.store(content)
        }
        let other = try await StoreFixture.reopened(directory)
        #expect(other.store.ready(content.digest) == nil)
        #expect(await other.store.open(content.digest) != nil)
        #expect(other.store.ready(content.digest) != nil)
    }

    @Test func aMissingOrShortFile_isAMiss_andCounted() async throws {
        // INT-10
        let fixture = try StoreFixture(openFilesMax: 1)
        let gone = Content(size: 1000, seed: 1)
        let short = Content(size: 2000, seed: 2)
        let other = Content(size: 10, seed: 3)
        for content in [gone, short, other] { try await fixture.store(content) }
        #expect(unlink("\(fixture.root)/\(StoreFixture.path(gone))") == 0)
        #expect(truncate("\(fixture.root)/\(StoreFixture.path(short))", 1999) == 0)
        for content in [gone, short] {
            #expect(await fixture.store.open(content.digest) == nil)
            #expect(try !fixture.isStored(content))
            try await fixture.store(content)
            #expect(await fixture.read(content) == content.bytes)
        }
        #expect(fixture.events.lost == 2)
        let snapshot = fixture.store.ledger.snapshot
        #expect(snapshot.committed == fixture.store.index.totals.disk)
    }

    @Test func discardedContent_isGone() async throws {
        // INT-9
        let fixture = try StoreFixture()
        let content = Content(size: 1000, seed: 1)
        try await fixture.store(content)
        await fixture.store.discard(content.digest)
        #expect(fixture.files.isEmpty)
        #expect(await fixture.store.open(content.digest) == nil)
    }

    @Test func filesNobodyUses_areClosedBeyondTheBound() async throws {
        let fixture = try StoreFixture(openFilesMax: 3)
        let contents = (1...8).map { Content(size: 100, seed: $0) }
        for content in contents { try await fixture.store(content) }
        for content in contents { #expect(await fixture.store.open(content.digest) != nil) }
        #expect(fixture.store.files.count == 3)
        var held: [GrowingFile] = []
        for content in contents {
            if let file = await fixture.store.open(content.digest) { held.append(file) }
        }
        // All of them are in use: none is forgotten, so that evictions know.
        #expect(fixture.store.files.count == 8)
        held.removeAll()
        let last = Content(size: 100, seed: 9)
        try await fixture.store(last)
        _ = await fixture.store.open(last.digest)
        #expect(fixture.store.files.count == 3)
    }

    @Test func aRestart_keepsEverything() async throws {
        // DUR-5
        let directory = try TemporaryDirectory()
        let content = Content(size: 70_000, seed: 1)
        var used: Int64 = 0
        do {
            let fixture = try StoreFixture(directory)
            try await fixture.store(content)
            used = fixture.store.ledger.snapshot.used
            await fixture.store.close()
        }
        let fixture = try StoreFixture(directory)
        #expect(fixture.growing.isEmpty)
        #expect(await fixture.read(content) == content.bytes)
        #expect(abs(fixture.store.ledger.snapshot.used - used) < 64 << 10)
        #expect(fixture.disk <= fixture.store.ledger.snapshot.used)
    }

    @Test func closing_waitsForWhatIsBeingCommitted() async throws {
        // Done with its body a client may stop the daemon: what it has is kept.
        let directory = try TemporaryDirectory()
        let content = Content(size: 1 << 20, seed: 1)
        do {
            let fixture = try StoreFixture(directory)
            let writer = try await fixture.store.writer(for: content.digest, size: 1 << 20)
            try await StoreFixture.append(content.bytes, to: writer)
            let unfinished = try await fixture.store.writer(for: Content([1]).digest, size: 9)
            async let finished = writer.finish()
            _ = await writer.file.progress(beyond: (1 << 20) + 1)
            await fixture.store.close()
            #expect(try await finished == 1 << 20)
            await unfinished.abandon()
        }
        let fixture = try StoreFixture(directory)
        #expect(await fixture.read(content) == content.bytes)
        // The other one had no byte yet.
        #expect(fixture.events.swept == 1)
    }

    @Test func wholeFilesTheIndexLost_areTakenInAgain_andBrokenOnesRemoved() async throws {
        // DUR-4
        let directory = try TemporaryDirectory()
        let whole = Content(size: 70_000, seed: 1)
        let broken = Content(size: 60_000, seed: 2)
        do {
            let fixture = try StoreFixture(directory)
            for content in [whole, broken] { try await fixture.store(content) }
            await fixture.store.close()
        }
        let path = directory.file("store/\(StoreFixture.path(broken))")
        try Files.write(path, [UInt8](repeating: 0, count: 60_000))
        let foreign = directory.file("store/\(StoreLayout.shard(whole.digest))/README")
        try Files.write(foreign, [1])
        try Files.write(directory.file("store/index.db"), [UInt8](repeating: 9, count: 9000))
        let fixture = try StoreFixture(directory)
        #expect(fixture.store.index.setAside != nil)
        // Counted before anything is known of them.
        #expect(fixture.disk <= fixture.store.ledger.snapshot.used)
        // One that somebody asks for does not wait for its turn.
        #expect(await fixture.store.open(broken.digest) == nil)
        #expect(await fixture.read(whole) == whole.bytes)
        await fixture.store.reconcile()
        #expect(!Files.exists(path) && !Files.exists(foreign))
        #expect(fixture.events.adopted == 1 && fixture.events.strays == 2)
        #expect(fixture.disk <= fixture.store.ledger.snapshot.used)
        #expect(fixture.store.ledger.snapshot.committed == fixture.store.index.totals.disk)
    }

    @Test func aCrashBetweenTheSteps_leaksNothing() async throws {
        // DUR-5: published but not indexed; evicted but not unlinked; row without a file.
        let directory = try TemporaryDirectory()
        let contents = (1...3).map { Content(size: 50_000, seed: $0) }
        do {
            let fixture = try StoreFixture(directory)
            for content in contents { try await fixture.store(content) }
            let index = fixture.store.index
            let disk = try index.blob(contents[0].digest)?.disk ?? 0
            try await index.forget(contents[0].digest)
            try await index.announce(contents[0].digest, disk: disk)
            let evicted = try await index.evict(EvictionRequest(bytes: 1)) { _ in true }
            #expect(evicted.map(\.digest) == [contents[1].digest])
            #expect(unlink("\(fixture.root)/\(StoreFixture.path(contents[2]))") == 0)
        }
        let fixture = try StoreFixture(directory)
        #expect(fixture.disk <= fixture.store.ledger.snapshot.used)
        await fixture.store.reconcile()
        #expect(await fixture.read(contents[0]) == contents[0].bytes)
        #expect(fixture.files.count == 1)
        #expect(try fixture.store.index.pending().isEmpty)
        #expect(fixture.store.index.totals.blobs == 1)
        #expect(fixture.store.ledger.snapshot.committed == fixture.store.index.totals.disk)
    }

    @Test func aStoreThatOthersCouldRead_isClosedToThem() async throws {
        // LOC-1
        let directory = try TemporaryDirectory()
        let root = try directory.directory("store")
        #expect(chmod(root, 0o755) == 0)
        let fixture = try StoreFixture(directory)
        var status = stat()
        #expect(stat(root, &status) == 0 && status.st_mode & 0o777 == 0o700)
        #expect(
            fixture.events.count { if case .permissionsFixed = $0 { true } else { false } } == 1)
    }

    @Test func recency_doesNotFollowAClockThatJumps() async throws {
        // OPS-4
        let fixture = try StoreFixture()
        let contents = (1...3).map { Content(size: 100, seed: $0) }
        try await fixture.store(contents[0])
        fixture.clock.setWall(seconds: fixture.clock.wallSeconds + 315_360_000)
        try await fixture.store(contents[1])
        fixture.clock.setWall(seconds: 1_000_000_000)
        try await fixture.store(contents[2])
        fixture.store.markUsed(contents[0].digest)
        await fixture.store.flushRecency()
        let evicted = try await fixture.store.index.evict(EvictionRequest(bytes: .max)) { _ in
            true
        }
        #expect(evicted.map(\.digest) == [1, 2, 0].map { contents[$0].digest })
    }
}
