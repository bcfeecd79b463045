import Glibc
import OCI
import Reactor
import Testing

@testable import Index

struct IndexFilesTests {
    private func overwrite(_ path: String, _ bytes: [UInt8]) {
        guard let file = fopen(path, "w") else { return }
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }

    @Test func aDamagedDatabase_isSetAside_andAnEmptyOneBegun() async throws {
        // DUR-4
        let scratch = Scratch()
        for round in 1...2 {
            overwrite("\(scratch.path)/index.db", Array(repeating: 0x5a, count: 20_000))
            let fixture = try IndexFixture(scratch)
            #expect(fixture.index.setAside == "index.db.corrupt-\(round)")
            try await fixture.blob(1, at: 1)
            #expect(fixture.index.totals.blobs == 1)
            await fixture.index.close()
        }
        // Only the newest is kept.
        #expect(scratch.names.filter { $0.contains("corrupt") } == ["index.db.corrupt-2"])
    }

    @Test func damageFoundWhileRunning_setsTheDatabaseAsideAtTheNextStart() async throws {
        let scratch = Scratch()
        let fixture = try IndexFixture(scratch)
        try await fixture.blob(1, at: 1)
        await fixture.index.close()
        overwrite("\(scratch.path)/index.db.suspect", [])
        #expect(try IndexFixture(scratch).index.setAside != nil)
        #expect(!scratch.names.contains("index.db.suspect"))
        #expect(try IndexFixture(scratch).index.setAside == nil)
    }

    @Test func aNewerSchema_isRefused_andLeftAlone() throws {
        let scratch = Scratch()
        do {
            _ = try IndexFixture(scratch)
            let connection = try Connection(path: "\(scratch.path)/index.db", readOnly: false)
            try connection.execute("PRAGMA user_version = 99")
        }
        #expect(throws: IndexError.newerSchema(found: 99, known: Schema.version)) {
            try IndexFixture(scratch)
        }
        #expect(!scratch.names.contains { $0.contains("corrupt") })
    }

    @Test func theFiles_arePrivate() throws {
        // LOC-1
        let fixture = try IndexFixture()
        for name in fixture.scratch.names {
            var status = stat()
            #expect(lstat("\(fixture.scratch.path)/\(name)", &status) == 0)
            #expect(status.st_mode & 0o077 == 0, "\(name)")
        }
    }

    @Test func theFilesOnDisk_neverExceedTheFootprint() async throws {
        let fixture = try IndexFixture()
        var footprint = fixture.index.footprint
        for batch in 0..<40 {
            for number in 0..<25 {
                try await fixture.image(
                    batch * 1000 + number, Array((batch * 1000 + 100)..<(batch * 1000 + 140)),
                    at: Int64(batch))
                // The footprint from before must cover what this transaction wrote.
                #expect(fixture.scratch.disk <= footprint)
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
