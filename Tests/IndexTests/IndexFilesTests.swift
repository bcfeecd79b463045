import Glibc
import OCI
import Reactor
import TestSupport
import Testing

@testable import Index

struct IndexFilesTests {
    private func names(_ scratch: TemporaryDirectory) -> [String] {
        Files.names(scratch.path).sorted()
    }

    @Test func aDamagedDatabase_isSetAside_andAnEmptyOneBegun() async throws {
        // DUR-4
        let scratch = try TemporaryDirectory()
        for round in 1...2 {
            try Files.write(scratch.file("index.db"), Array(repeating: 0x5a, count: 20_000))
            let fixture = try IndexFixture(scratch)
            #expect(fixture.index.setAside == "index.db.corrupt-\(round)")
            try await fixture.blob(1, at: 1)
            #expect(fixture.index.totals.blobs == 1)
            await fixture.index.close()
        }
        // Only the newest is kept.
        #expect(names(scratch).filter { $0.contains("corrupt") } == ["index.db.corrupt-2"])
    }

    // P6: SQLite calls a page damaged that could not be read once.
    @Test func aSuspectDatabase_isLookedAt_andKeptIfItIsSound() async throws {
        let scratch = try TemporaryDirectory()
        let fixture = try IndexFixture(scratch)
        try await fixture.blob(1, at: 1)
        await fixture.index.close()
        try Files.write(scratch.file("index.db.suspect"), [])
        let again = try IndexFixture(scratch)
        #expect(again.index.setAside == nil)
        #expect(again.index.totals.blobs == 1)
        #expect(!names(scratch).contains("index.db.suspect"))
    }

    // DUR-4
    @Test func aSuspectDatabaseThatIsDamaged_isSetAside() async throws {
        let scratch = try TemporaryDirectory()
        let fixture = try IndexFixture(scratch)
        for number in 1...200 { try await fixture.blob(number, at: 1) }
        await fixture.index.close()
        var bytes = try Files.read(scratch.file("index.db"))
        // Not where opening would see it.
        for place in (bytes.count - 8192)..<bytes.count { bytes[place] = 0x5a }
        try Files.write(scratch.file("index.db"), bytes)
        try Files.write(scratch.file("index.db.suspect"), [])
        #expect(try IndexFixture(scratch).index.setAside != nil)
        #expect(!names(scratch).contains("index.db.suspect"))
        #expect(try IndexFixture(scratch).index.setAside == nil)
    }

    @Test func aNewerSchema_isRefused_andLeftAlone() throws {
        let scratch = try TemporaryDirectory()
        do {
            _ = try IndexFixture(scratch)
            let connection = try Connection(path: "\(scratch.path)/index.db", readOnly: false)
            try connection.execute("PRAGMA user_version = 99")
        }
        #expect(throws: IndexError.newerSchema(found: 99, known: Schema.version)) {
            try IndexFixture(scratch)
        }
        #expect(!names(scratch).contains { $0.contains("corrupt") })
    }

    @Test func anEarlierSchema_isBroughtUpToDate_andKeepsWhatItKnew() async throws {
        let scratch = try TemporaryDirectory()
        try makeIndex(
            scratch, version: 1,
            "INSERT INTO blob VALUES(randomblob(32), 5, 4096, 1, 1)")
        let index = try IndexFixture(scratch).index
        #expect(index.setAside == nil)
        #expect(index.totals.blobs == 1)
        let due = try index.leastVerified(before: 1, limit: 10)
        #expect(due.count == 1)
        for digest in due { try await index.noteVerified(digest, at: 7) }
        #expect(try index.leastVerified(before: 7, limit: 10) == [])
        #expect(try index.leastVerified(before: 8, limit: 10) == due)
    }

    /// An index as an earlier version left it.
    private func makeIndex(
        _ scratch: TemporaryDirectory, version: Int, _ rows: String
    ) throws {
        try Files.write(scratch.file("index.db"), [])
        let connection = try Connection(path: scratch.file("index.db"), readOnly: false)
        for step in Schema.steps[..<version] { try connection.execute(step) }
        try connection.execute("PRAGMA user_version = \(version); \(rows)")
    }

    @Test func pinsFromBeforeTheyCouldEnd_areEndless() async throws {
        let scratch = try TemporaryDirectory()
        try makeIndex(
            scratch, version: 2, "INSERT INTO pin VALUES('hub', 'library/app', 'latest', NULL)")
        let index = try IndexFixture(scratch).index
        let pin = PinRow(repository: "hub", name: "library/app", reference: "latest")
        #expect(try index.pins() == [pin])
        #expect(try index.pins().first?.until == PinRow.endless)
        // Nor were they in the journal.
        try await index.tidyJournal()
        await index.close()
        for name in Files.names(scratch.path) where name.hasPrefix("index.db") {
            Files.removeTree(scratch.file(name))
        }
        #expect(try IndexFixture(scratch).index.pins() == [pin])
    }

    @Test func theFiles_arePrivate() throws {
        // LOC-1
        let fixture = try IndexFixture()
        for name in names(fixture.scratch) {
            var status = stat()
            #expect(lstat("\(fixture.scratch.path)/\(name)", &status) == 0)
            #expect(status.st_mode & 0o077 == 0, "\(name)")
        }
    }

    @Test func theFilesOnDisk_neverExceedTheFootprint() async throws {
        let fixture = try IndexFixture()
        var footprint = fixture.index.footprint
        for batch in 0..<10 {
            for number in 0..<25 {
                try await fixture.image(
                    batch * 1000 + number, Array((batch * 1000 + 100)..<(batch * 1000 + 140)),
                    at: Int64(batch))
                // The footprint from before must cover what this transaction wrote.
                #expect(Files.diskUsage(fixture.scratch.path) <= footprint + 8192)
                footprint = fixture.index.footprint
            }
        }
    }

    @Test func readingWritesNothing() async throws {
        let fixture = try IndexFixture()
        try await fixture.image(1, [2], at: 1)
        let changes = fixture.index.totalChanges
        for _ in 0..<100 {
            _ = try fixture.index.blob(IndexFixture.digest(1))
            _ = try fixture.index.manifest(IndexFixture.digest(1))
            _ = try fixture.index.isLinked(
                repository: "hub", name: IndexFixture.name("library/app"), IndexFixture.digest(2))
        }
        #expect(fixture.index.totalChanges == changes)
    }
}
