import OCI
import Reactor
import TestSupport
import Testing

@testable import Index

/// What the names journal tells outlives the index (DUR-4).
struct NamesJournalTests {
    private let name = IndexFixture.name("library/app")
    private func digest(_ number: Int) -> Digest { IndexFixture.digest(number) }

    private func lose(_ scratch: TemporaryDirectory) {
        for name in ["index.db", "index.db-wal", "index.db-shm"] {
            Files.removeTree(scratch.file(name))
        }
    }

    @Test func linksAndTags_areThereAgainAfterALoss() async throws {
        let scratch = try TemporaryDirectory()
        do {
            let fixture = try IndexFixture(scratch)
            #expect(fixture.index.isNew)
            try await fixture.image(1, [2, 3], at: 10)
            try await fixture.index.link(
                repository: "hub", name: name, [digest(2), digest(3)])
            #expect(
                try await fixture.index.bind(
                    repository: "hub", name: name, IndexFixture.tag("latest"), to: digest(1),
                    checkedAt: 7))
            await fixture.index.close()
        }
        do {
            let fixture = try IndexFixture(scratch)
            #expect(!fixture.index.isNew && fixture.index.hasJournal)
        }
        lose(scratch)
        let fixture = try IndexFixture(scratch)
        let index = fixture.index
        #expect(index.isNew)
        for number in 1...3 {
            #expect(try index.isLinked(repository: "hub", name: name, digest(number)))
        }
        #expect(try !index.isLinked(repository: "hub", name: name, digest(4)))
        #expect(try !index.isLinked(repository: "quay", name: name, digest(1)))
        let tag = try index.tag(repository: "hub", name: name, IndexFixture.tag("latest"))
        #expect(tag?.digest == digest(1) && tag?.checkedAt == 7)
        let names = index.rememberedNames()
        #expect(names.mediaType(of: digest(1)) == "m" && names.manifests == [digest(1)])
        // Its file did not come back.
        try await index.dropLooseTags()
        #expect(
            try index.tag(repository: "hub", name: name, IndexFixture.tag("latest")) == nil)
    }

    @Test func whatWasForgotten_staysForgotten() async throws {
        // AUTH-2
        let scratch = try TemporaryDirectory()
        do {
            let fixture = try IndexFixture(scratch)
            try await fixture.image(1, [2], at: 10)
            try await fixture.blob(2, at: 10)
            try await fixture.index.link(repository: "hub", name: name, [digest(2)])
            _ = try await fixture.index.bind(
                repository: "hub", name: name, IndexFixture.tag("a"), to: digest(1), checkedAt: 7)
            try await fixture.index.unbind(
                repository: "hub", name: name, IndexFixture.tag("a"))
            #expect(try await fixture.evict(bytes: .max, among: [1, 2]) == [1, 2])
        }
        lose(scratch)
        let fixture = try IndexFixture(scratch)
        for number in 1...2 {
            #expect(try !fixture.index.isLinked(repository: "hub", name: name, digest(number)))
        }
        #expect(
            try fixture.index.tag(repository: "hub", name: name, IndexFixture.tag("a")) == nil)
    }

    @Test(arguments: [false, true])
    func pins_areThereAgainAfterALoss(isRewritten: Bool) async throws {
        let scratch = try TemporaryDirectory()
        let clock = ManualClock()
        let now = clock.wallSeconds
        func pin(_ reference: String, until: Int64 = PinRow.endless, _ note: String = "") -> PinRow
        {
            PinRow(
                repository: "hub", name: name.text, reference: reference, until: until, note: note)
        }
        do {
            let index = try IndexFixture(scratch, clock: clock).index
            try await index.pin(pin("a", until: now + 10, "short"))
            try await index.pin(pin("a", until: now + 90, "longer"))
            try await index.pin(pin("3.*"))
            try await index.pin(pin("gone"))
            try await index.pin(pin(digest(1).description))
            #expect(
                try await index.unpin(repository: "hub", name: name.text, reference: "gone"))
            if isRewritten { try await index.tidyJournal(force: true) }
        }
        lose(scratch)
        let index = try IndexFixture(scratch, clock: clock).index
        let digestPin = pin(digest(1).description)
        #expect(
            try index.pins() == [pin("3.*"), pin("a", until: now + 90, "longer"), digestPin])
    }

    @Test func aDamagedOrTornLine_costsItselfAndNoOther() async throws {
        let scratch = try TemporaryDirectory()
        do {
            let fixture = try IndexFixture(scratch)
            for number in 1...9 {
                try await fixture.index.link(repository: "hub", name: name, [digest(number)])
            }
        }
        lose(scratch)
        var bytes = try Files.read(scratch.file("names.log"))
        let line = bytes.count / 9
        bytes[3 * line + 40] ^= 1
        bytes.removeLast(10)
        try Files.write(scratch.file("names.log"), bytes)
        let fixture = try IndexFixture(scratch)
        for number in 1...9 {
            let isLinked = try fixture.index.isLinked(
                repository: "hub", name: name, digest(number))
            #expect(isLinked == (number != 4 && number != 9), "\(number)")
        }
    }

    @Test func itIsWrittenAnew_withWhatIsTrueNow() async throws {
        let scratch = try TemporaryDirectory()
        do {
            let fixture = try IndexFixture(scratch)
            for round in 0..<20 {
                try await fixture.image(1, [], at: Int64(round))
                #expect(try await fixture.evict(bytes: .max, among: [1]) == [1])
            }
            try await fixture.image(2, [], at: 50)
            _ = try await fixture.index.bind(
                repository: "hub", name: name, IndexFixture.tag("b"), to: digest(2), checkedAt: 9)
            let before = try Files.read(scratch.file("names.log")).count
            try await fixture.index.tidyJournal(force: true)
            #expect(try Files.read(scratch.file("names.log")).count < before / 5)
            try await fixture.index.link(repository: "hub", name: name, [digest(3)])
        }
        lose(scratch)
        let index = try IndexFixture(scratch).index
        #expect(try !index.isLinked(repository: "hub", name: name, digest(1)))
        for number in 2...3 {
            #expect(try index.isLinked(repository: "hub", name: name, digest(number)))
        }
        #expect(
            try index.tag(repository: "hub", name: name, IndexFixture.tag("b"))?.checkedAt == 9)
    }

    @Test func linesWithStrangeFields_areNotWritten() {
        var lines: [UInt8] = []
        for field in ["a\tb", "a\nb"] {
            NamesEntry.untag(repository: field, name: "n", tag: "t").write(to: &lines)
        }
        #expect(lines.isEmpty)
        let entry = NamesEntry.tag(
            repository: "r", name: "n", tag: "t", digest(1), checkedAt: -5)
        entry.write(to: &lines)
        #expect(NamesEntry(parsing: lines.dropLast()) == entry)
        for place in lines.indices.dropLast() {
            var damaged = lines
            damaged[place] ^= 4
            #expect(NamesEntry(parsing: damaged.dropLast()) == nil)
        }
    }
}
