import Glibc
import Index
import OCI
import Reactor
import TestSupport
import Testing

@testable import Store

struct BlobWriterTests {
    @Test(arguments: [Digest.Algorithm.sha256, .sha512], [0, 1, 4096, 300_001])
    func writtenBytes_areReadBack(algorithm: Digest.Algorithm, size: Int) async throws {
        let fixture = try StoreFixture()
        let content = Content(size: size, seed: UInt64(size), algorithm)
        try await fixture.store(content)
        #expect(await fixture.read(content) == content.bytes)
        #expect(fixture.growing.isEmpty)
        #expect(fixture.files == ["\(fixture.root)/\(StoreFixture.path(content))"])
        let row = try fixture.store.index.blob(content.digest)
        #expect(row?.size == Int64(size))
        #expect(try fixture.store.index.pending().isEmpty)
        #expect(fixture.store.ledger.snapshot.reserved == 0)
        #expect(fixture.store.ledger.snapshot.committed == row?.disk)
    }

    @Test func filesAndDirectories_arePrivate() async throws {
        // LOC-1
        let fixture = try StoreFixture()
        try await fixture.store(Content(size: 10, seed: 1))
        for entry in Files.walk(fixture.root) {
            var status = stat()
            #expect(lstat(entry.path, &status) == 0)
            #expect(status.st_mode & 0o077 == 0, "\(entry.path)")
        }
    }

    @Test func readersSeeBytesAsTheyCome_butNeverTheEndBeforeTheDigest() async throws {
        // INT-1
        let fixture = try StoreFixture()
        let content = Content(size: 200_000, seed: 1)
        let writer = try await fixture.store.writer(for: content.digest, size: 200_000)
        try await StoreFixture.append(content.bytes, to: writer)
        #expect(writer.file.progress.phase == .growing)
        #expect(writer.file.progress.written == 200_000)
        #expect(writer.file.sendable(upTo: nil) == 200_000 - GrowingFile.withheldBytes)
        #expect(await fixture.store.open(content.digest) == nil)
        _ = try await writer.finish()
        #expect(writer.file.progress.phase == .complete)
        #expect(writer.file.sendable(upTo: nil) == 200_000)
        // INT-9: what is served next is verified as it lies there, then it is believed.
        let found = try #require(await fixture.store.find(content.digest))
        #expect(found.file !== writer.file)
        #expect(await found.verification?.run() == true)
        #expect(await fixture.store.find(content.digest)?.verification == nil)
    }

    @Test func aMismatch_failsTheReaders_andLeavesNothing() async throws {
        // INT-1
        let fixture = try StoreFixture()
        let content = Content(size: 100_000, seed: 1)
        var wrong = content.bytes
        wrong[99_999] ^= 1
        let writer = try await fixture.store.writer(for: content.digest, size: 100_000)
        try await StoreFixture.append(wrong, to: writer)
        let actual = StreamingHash.digest(of: wrong, .sha256)
        await #expect(throws: StoreError.mismatch(expected: content.digest, actual: actual)) {
            try await writer.finish()
        }
        #expect(writer.file.progress.phase == .failed)
        #expect(fixture.files.isEmpty)
        #expect(try !fixture.isStored(content))
        #expect(fixture.store.ledger.snapshot.reserved == 0)
        #expect(fixture.events.mismatches == 1)
        // The next attempt is not in its way.
        try await fixture.store(content)
        #expect(await fixture.read(content) == content.bytes)
    }

    @Test func moreOrFewerBytesThanAnnounced_areAFailedFill() async throws {
        // INT-11
        let fixture = try StoreFixture()
        let content = Content(size: 1000, seed: 1)
        let long = try await fixture.store.writer(for: content.digest, size: 999)
        await #expect(throws: StoreError.wrongSize(expected: 999, actual: 1000)) {
            try await long.append(Chunk(content.bytes))
        }
        #expect(fixture.growing.isEmpty)
        await long.abandon()
        let short = try await fixture.store.writer(for: content.digest, size: 1001)
        try await short.append(Chunk(content.bytes))
        await #expect(throws: StoreError.wrongSize(expected: 1001, actual: 1000)) {
            try await short.finish()
        }
        #expect(short.file.progress.phase == .failed)
        #expect(fixture.files.isEmpty)
        #expect(fixture.store.ledger.snapshot.reserved == 0)
    }

    @Test func aSizeAnnouncedLater_isReservedAndChecked() async throws {
        let fixture = try StoreFixture(maxSize: 32 << 20)
        let content = Content(size: 5 << 20, seed: 1)
        let writer = try await fixture.store.writer(for: content.digest, size: nil)
        try await writer.append(Chunk(Array(content.bytes[..<1000])))
        try await writer.announce(size: 5 << 20)
        #expect(writer.file.progress.total == 5 << 20)
        await #expect(throws: StoreError.wrongSize(expected: 5 << 20, actual: 7)) {
            try await writer.announce(size: 7)
        }
        try await StoreFixture.append(Array(content.bytes[1000...]), to: writer)
        _ = try await writer.finish()
        let greedy = try await fixture.store.writer(for: Content([1]).digest, size: nil)
        await #expect(throws: StoreError.full) { try await greedy.announce(size: .max) }
        await #expect(throws: StoreError.full) { try await greedy.announce(size: 1 << 30) }
        await greedy.abandon()
    }

    @Test func anUnknownSize_growsItsReservation_untilTheStoreIsFull() async throws {
        let fixture = try StoreFixture(maxSize: 16 << 20)
        let content = Content(size: 6 << 20, seed: 1)
        try await fixture.store(content, announced: false, piece: 256 << 10)
        #expect(await fixture.read(content) == content.bytes)

        let endless = try await fixture.store.writer(for: Content([1]).digest, size: nil)
        let chunk = Chunk([UInt8](repeating: 7, count: 256 << 10))
        await #expect(throws: StoreError.full) {
            for _ in 0..<1000 { try await endless.append(chunk) }
        }
        // What was written can still be read on: the caller decides.
        #expect(endless.file.progress.phase == .growing)
        #expect(endless.written > 4 << 20)
        #expect(fixture.disk <= 16 << 20)
        await endless.abandon()
        #expect(endless.file.progress.phase == .failed)
        #expect(fixture.store.ledger.snapshot.reserved == 0)
        #expect(fixture.growing.isEmpty)
    }

    @Test func aDigestStoredMeanwhile_isSuccess() async throws {
        let fixture = try StoreFixture()
        let content = Content(size: 50_000, seed: 1)
        let first = try await fixture.store.writer(for: content.digest, size: nil)
        let second = try await fixture.store.writer(for: content.digest, size: nil)
        try await StoreFixture.append(content.bytes, to: first)
        try await StoreFixture.append(content.bytes, to: second)
        _ = try await first.finish()
        _ = try await second.finish()
        #expect(second.file.progress.phase == .complete)
        #expect(fixture.growing.isEmpty)
        #expect(fixture.files.count == 1)
        #expect(fixture.store.index.totals.blobs == 1)
        #expect(try fixture.store.index.pending().isEmpty)
        let snapshot = fixture.store.ledger.snapshot
        #expect(snapshot.committed == fixture.store.index.totals.disk)
    }

    @Test func anUnverifiedLeftoverInTheWay_isReplaced() async throws {
        let fixture = try StoreFixture()
        let content = Content(size: 5000, seed: 1)
        try Files.makeDirectories("\(fixture.root)/\(StoreLayout.shard(content.digest))")
        let path = "\(fixture.root)/\(StoreFixture.path(content))"
        // As long as the real thing: only the hash can tell.
        try Files.write(path, [UInt8](repeating: 0, count: 5000))
        try await fixture.store(content)
        #expect(try Files.read(path) == content.bytes)
    }

    @Test func aDroppedWriter_cutsItsReaders_andLeavesNothing() async throws {
        let fixture = try StoreFixture()
        var file: GrowingFile?
        do {
            let writer = try await fixture.store.writer(for: Content([1]).digest, size: 100)
            file = writer.file
        }
        #expect(file?.progress.phase == .failed)
        await fixture.store.flushRecency()
        #expect(fixture.growing.isEmpty)
        #expect(fixture.store.ledger.snapshot.reserved == 0)
        #expect(fixture.store.files.written.isEmpty)
    }

    @Test func aFullDisk_costsOneObject_andNothingIsLeft() async throws {
        // DUR-2, DUR-6: the file system is smaller than the limit.
        let directory = try TemporaryDirectory()
        let mountPoint = try directory.directory("mount")
        guard mount("tmpfs", mountPoint, "tmpfs", 0, "size=8m") == 0 else { return }
        defer { umount2(mountPoint, Int32(MNT_DETACH)) }
        let fixture = try StoreFixture(directory, maxSize: 64 << 20, root: "\(mountPoint)/store")
        let big = Content(size: 12 << 20, seed: 1)
        await #expect(throws: StoreError.full) { try await fixture.store(big) }
        await #expect(throws: StoreError.full) { try await fixture.store(big, announced: false) }
        #expect(fixture.files.isEmpty)
        let small = Content(size: 1 << 20, seed: 2)
        try await fixture.store(small)
        #expect(await fixture.read(small) == small.bytes)
    }
}
