import Linux
import OCI
import Reactor
import TestSupport
import Testing

@testable import Migration

/// What a run that was killed leaves behind for the next one.
@Suite struct JournalTests {
    private let home: TemporaryDirectory
    private let loop: EventLoop
    private let digest: Digest

    init() throws {
        home = try TemporaryDirectory()
        loop = EventLoop(simulating: 1, clock: ManualClock())
        digest = try #require(Digest(parsing: "sha256:" + String(repeating: "a", count: 64)))
    }

    private func item(_ tag: String) throws -> ImageItem {
        let address = try #require(RegistryAddress(parsing: "http://r.example"))
        let name = try #require(RepositoryName(parsing: "team/app"))
        let reference = try #require(Reference(parsing: tag))
        return ImageItem(
            source: try RemoteRegistry(
                .source, address, RegistryAccess(userAgent: "test"), on: loop),
            name: name, reference: reference, target: name, targetReference: reference)
    }

    @Test func whatWasNotedIsKnownAgain() throws {
        let path = home.file("deep/er/state")
        do {
            let journal = try Journal(path, about: "a b")
            try journal.note(item("v1"), digest)
            #expect(journal.isDone(try item("v1"), digest))
        }
        let journal = try Journal(path, about: "a b")
        #expect(journal.isDone(try item("v1"), digest))
        #expect(!journal.isDone(try item("v2"), digest))
        let other = try #require(Digest(parsing: "sha256:" + String(repeating: "b", count: 64)))
        // The tag has moved since.
        #expect(!journal.isDone(try item("v1"), other))
        try journal.note(item("v1"), other)
        #expect(journal.isDone(try item("v1"), other))
    }

    @Test func aLineThatWasCutIsNoLine() throws {
        let path = home.file("state")
        try Journal(path, about: "a b").note(item("v1"), digest)
        let whole = try Files.read(path)
        for length in 0..<whole.count {
            try Files.write(path, Array(whole[..<length]))
            let journal = try Journal(path, about: "a b")
            #expect(!journal.isDone(try item("v1"), digest), "\(length)")
            try journal.note(item("v1"), digest)
            #expect(try Files.read(path) == whole, "\(length)")
        }
    }

    @Test func theStateOfAnotherMigrationIsRefused() throws {
        let path = home.file("state")
        _ = try Journal(path, about: "a b")
        #expect(throws: CopyFailure.self) { _ = try Journal(path, about: "a c") }
        try Files.write(path, Array("my precious text\nline\n".utf8))
        #expect(throws: CopyFailure.self) { _ = try Journal(path, about: "a b") }
        #expect(try Files.text(path) == "my precious text\nline\n")
    }

    @Test func twoRunsDoNotShareOne() throws {
        let path = home.file("state")
        let first = try Journal(path, about: "a b")
        #expect(throws: CopyFailure.self) { _ = try Journal(path, about: "a b") }
        _ = first
    }
}
