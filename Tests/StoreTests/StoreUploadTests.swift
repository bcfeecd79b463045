import Index
import OCI
import Reactor
import TestSupport
import Testing

@testable import Store

/// Uploads and what becomes of them (DUR-1, P12).
struct StoreUploadTests {
    private static func upload(_ content: Content, to fixture: StoreFixture) async throws {
        let upload = try await fixture.store.beginUpload(
            repository: "releases", name: StoreFixture.name, user: "", .sha256)
        #expect(upload.take())
        try await upload.append(Chunk(content.bytes))
        #expect(try await upload.finish(as: content.digest) == Int64(content.bytes.count))
    }

    // INT-9: good bytes are not dropped for what is there and was not looked at.
    @Test func whatIsPushedTakesThePlaceOfWhatIsDamaged() async throws {
        let content = Content(size: 300_000, seed: 1)
        let directory = try TemporaryDirectory()
        do {
            let fixture = try StoreFixture(directory)
            try await fixture.store(content)
            await fixture.store.close()
        }
        let fixture = try await StoreFixture.reopened(directory)
        await fixture.store.reconcile()
        let file = try #require(fixture.files.first)
        var spoiled = content.bytes
        spoiled[7] ^= 1
        try Files.write(file, spoiled)
        try await Self.upload(content, to: fixture)
        #expect(await fixture.read(content) == content.bytes)
        #expect(fixture.events.lost == 1)
        #expect(fixture.files.count == 1)
        #expect(fixture.store.ledger.snapshot.committed == fixture.store.index.totals.disk)
    }

    @Test func whatIsHeldIsNotEvicted() async throws {
        let fixture = try StoreFixture(maxSize: 12 << 20)
        let (held, other) = (Content(size: 2 << 20, seed: 1), Content(size: 2 << 20, seed: 2))
        for content in [held, other] { try await fixture.store(content) }
        try await fixture.store.holding(held.digest) {
            for seed in 10..<16 {
                try await fixture.store(Content(size: 2 << 20, seed: UInt64(seed)))
            }
        }
        #expect(try fixture.isStored(held) && !fixture.isStored(other))
        for seed in 20..<26 {
            try await fixture.store(Content(size: 2 << 20, seed: UInt64(seed)))
        }
        #expect(try !fixture.isStored(held))
    }

    @Test func whatNobodyComesBackToIsSwept() async throws {
        let fixture = try StoreFixture()
        let begun = try await fixture.store.beginUpload(
            repository: "releases", name: StoreFixture.name, user: "", .sha256)
        fixture.clock.advance(by: .seconds(50))
        #expect(await fixture.store.sweepUploads(idleFor: .seconds(60)).isEmpty)
        #expect(try await fixture.store.upload(begun.id) != nil)
        fixture.clock.advance(by: .seconds(50))
        #expect(await fixture.store.sweepUploads(idleFor: .seconds(60)).isEmpty)
        fixture.clock.advance(by: .seconds(50))
        #expect(await fixture.store.sweepUploads(idleFor: .seconds(60)) == ["releases"])
        #expect(try await fixture.store.upload(begun.id) == nil)
        #expect(try fixture.store.index.uploads().isEmpty)
    }
}
