import Index
import OCI
import Reactor
import TestSupport
import Testing

@testable import Store

/// Growing files lie beside the blobs: found again after a crash, never taken for leftovers while
/// they are written (DUR-5).
struct GrowingFileNameTests {
    private let content = Content(size: 100_000, seed: 1)

    private func path(_ number: UInt64) -> String {
        GrowingName(content.digest, number).path
    }

    @Test func aGrowingFile_liesWhereItsBlobWillLie() async throws {
        let fixture = try StoreFixture()
        let writer = try await fixture.store.writer(for: content.digest, size: 100_000)
        #expect(fixture.growing == ["\(fixture.root)/\(path(1))"])
        #expect(try fixture.store.index.pending().map(\.digest) == [content.digest])
        await writer.abandon()
        #expect(fixture.files.isEmpty)
        #expect(try fixture.store.index.pending().isEmpty)
    }

    @Test func namesThatAreNoGrowingFiles_areNotTakenForSome() {
        let hex = content.digest.hex
        #expect(GrowingName(parsing: "\(hex).17", .sha256) == GrowingName(content.digest, 17))
        let others = [
            hex, "\(hex).", "\(hex).x", "\(hex).1.2", "\(hex).-1", "\(hex).+1", "\(hex).01", ".1",
            "\(hex.dropLast()).1", "\(hex).99999999999999999999", "",
        ]
        for name in others { #expect(GrowingName(parsing: name, .sha256) == nil, "\(name)") }
        #expect(GrowingName(parsing: "\(hex).17", .sha512) == nil)
    }

    @Test func theSecondWriterOfADigest_isSweptEvenIfTheFirstCameToItsEnd() async throws {
        let directory = try TemporaryDirectory()
        do {
            let fixture = try StoreFixture(directory)
            let second = try await fixture.store.writer(for: content.digest, size: 100_000)
            try await fixture.store(content)
            #expect(try fixture.store.index.pending().map(\.digest) == [content.digest])
            #expect(second.written == 0)
        }
        let fixture = try await StoreFixture.reopened(directory)
        #expect(fixture.events.swept == 1)
        #expect(fixture.growing.isEmpty)
        #expect(await fixture.read(content) == content.bytes)
        await fixture.store.reconcile()
        #expect(try fixture.store.index.pending().isEmpty)
    }

    @Test func reconciling_leavesAloneWhatIsWritten_andRemovesWhatNobodyWrites() async throws {
        let fixture = try StoreFixture()
        let writer = try await fixture.store.writer(for: content.digest, size: 100_000)
        try await StoreFixture.append(content.bytes, to: writer)
        // The index's last rows went with a power cut: nothing there tells of this one.
        try Files.write("\(fixture.root)/\(path(99))", [1, 2, 3])
        await fixture.store.reconcile()
        #expect(fixture.growing == ["\(fixture.root)/\(path(1))"])
        _ = try await writer.finish()
        #expect(await fixture.read(content) == content.bytes)
    }

    @Test func aLeftoverOfTheSameName_isInNobodysWay() async throws {
        let fixture = try StoreFixture()
        try Files.makeDirectories("\(fixture.root)/\(StoreLayout.shard(content.digest))")
        for number in UInt64(1)...3 {
            try Files.write("\(fixture.root)/\(path(number))", [UInt8(number)])
        }
        try await fixture.store(content)
        #expect(await fixture.read(content) == content.bytes)
        #expect(fixture.growing.count == 3)
    }

    @Test func theFormerDirectoryOfGrowingFiles_isRemoved() throws {
        let directory = try TemporaryDirectory()
        try Files.makeDirectories(directory.file("store/partial"))
        try Files.write(directory.file("store/partial/17"), [1, 2, 3])
        let fixture = try StoreFixture(directory)
        #expect(fixture.events.swept == 1)
        #expect(!Files.exists(directory.file("store/partial")))
    }
}
