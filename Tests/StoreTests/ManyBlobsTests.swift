import Glibc
import Index
import OCI
import Reactor
import TestSupport
import Testing

@testable import Store

/// The start does not depend on how much is stored (DUR-5).
@Suite(.serialized) struct ManyBlobsTests {
    /// `CISTERN_TEST_LONG=1`: 100,000 blobs; else 5,000.
    private var count: Int { getenv("CISTERN_TEST_LONG") != nil ? 100_000 : 5000 }

    /// A store of `count` small blobs that is then killed while it fetches another.
    private func fill(_ directory: TemporaryDirectory) async throws {
        let fixture = try StoreFixture(directory, maxSize: 4 << 30)
        let index = fixture.store.index
        for number in 0..<count {
            let content = Content(Array("blob \(number)".utf8))
            let path = "\(fixture.root)/\(StoreFixture.path(content))"
            let file = open(path, O_WRONLY | O_CREAT, 0o600)
            if file < 0 {
                try Files.makeDirectories("\(fixture.root)/\(StoreLayout.shard(content.digest))")
                try Files.write(path, content.bytes, mode: 0o600)
            } else {
                #expect(write(file, content.bytes, content.bytes.count) == content.bytes.count)
                close(file)
            }
            _ = try await index.record(
                blob: content.digest, size: Int64(content.bytes.count), disk: 4096,
                stamp: Int64(number))
            try await index.link(
                repository: "hub", name: StoreFixture.name, [content.digest])
        }
        let content = Content(size: 1 << 20, seed: 1)
        let writer = try await fixture.store.writer(for: content.digest, size: 1 << 20)
        try await StoreFixture.append(Array(content.bytes[..<500_000]), to: writer)
    }

    @Test(arguments: [false, true])
    func afterAKill_theStoreIsOpenInTime(indexIsLost: Bool) async throws {
        let directory = try TemporaryDirectory()
        try await fill(directory)
        if indexIsLost { try Files.write(directory.file("store/index.db"), [1, 2, 3]) }
        let clock = ManualClock()
        clock.setWall(seconds: Int64(time(nil)))
        let watch = Stopwatch()
        let fixture = try await StoreFixture.reopened(directory, maxSize: 4 << 30, clock: clock)
        let time = watch.elapsed
        print("DUR-5: open with \(count) blobs, index lost: \(indexIsLost): \(time)")
        #expect(time < .seconds(indexIsLost ? 20 : 2))
        #expect(fixture.store.leftover(of: Content(size: 1 << 20, seed: 1).digest) == 499_999)
        #expect(fixture.disk <= fixture.store.ledger.snapshot.used)
        let content = Content(Array("blob 17".utf8))
        #expect(await fixture.read(content) == content.bytes)
        #expect(
            try fixture.store.index.isLinked(
                repository: "hub", name: StoreFixture.name, content.digest))
        await fixture.store.reconcile()
        print("DUR-4: reconciled after \(watch.elapsed)")
        #expect(fixture.store.index.totals.blobs == count)
        #expect(fixture.files.count == count + 1)
        #expect(fixture.events.lost == 0)
    }
}
