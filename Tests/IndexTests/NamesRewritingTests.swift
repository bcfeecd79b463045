import OCI
import Reactor
import TestSupport
import Testing

@testable import Index

/// Writing the names journal anew while others write (DUR-4).
struct NamesRewritingTests {
    @Test(arguments: [11, 12, 13] as [UInt64])
    func whatIsWrittenMeanwhile_isToldToo_andAKillLeavesTheOldOne(seed: UInt64) async throws {
        print("seed \(seed)")
        let fixture = try IndexFixture()
        var changes = Changes(seed: seed)
        try await changes.fill(fixture)
        for round in 0..<2 {
            var pieces = 0
            try await fixture.index.tidyJournal(force: true) {
                pieces += 1
                await noting {
                    for _ in 0..<25 { try await changes.makeOne(fixture) }
                    // A kill: what is there now is all there will be.
                    if pieces % 3 == 1 {
                        try await expectSame(fixture, "round \(round), \(pieces)")
                    }
                }
            }
            #expect(pieces > 3)
            #expect(!Files.exists(fixture.scratch.file(NamesJournal.rewrittenName)))
            try await expectSame(fixture, "round \(round)")
            for _ in 0..<25 { try await changes.makeOne(fixture) }
            try await expectSame(fixture, "after round \(round)")
        }
    }

    @Test func whatIsRestoredMeanwhile_isToldToo() async throws {
        let fixture = try IndexFixture()
        var changes = Changes(seed: 14)
        try await changes.fill(fixture)
        var other = Changes(seed: 15)
        let lost = try IndexFixture()
        for _ in 0..<40 { try await other.makeOne(lost) }
        let rows = lost.index.rememberedNames().rows
        #expect(!rows.isEmpty)
        var isDone = false
        try await fixture.index.tidyJournal(force: true) {
            // Keys that were passed already are among them.
            guard !isDone else { return }
            isDone = true
            await noting { try await fixture.index.restore(rows) }
        }
        try await expectSame(fixture, "restored")
    }

    @Test func onlyOneIsWrittenAtOnce() async throws {
        let fixture = try IndexFixture()
        var changes = Changes(seed: 16)
        try await changes.fill(fixture)
        var inner = 0
        try await fixture.index.tidyJournal(force: true) {
            await noting { try await fixture.index.tidyJournal(force: true) { inner += 1 } }
        }
        #expect(inner == 0)
        try await expectSame(fixture, "after both")
        try await fixture.index.tidyJournal(force: true) { inner += 1 }
        #expect(inner > 3)
    }

    @Test func closing_endsIt() async throws {
        let fixture = try IndexFixture()
        var changes = Changes(seed: 17)
        try await changes.fill(fixture)
        let before = try Files.read(fixture.scratch.file(NamesJournal.fileName))
        var pieces = 0
        await #expect(throws: IndexError.closed) {
            try await fixture.index.tidyJournal(force: true) {
                pieces += 1
                await fixture.index.close()
                #expect(!Files.exists(fixture.scratch.file(NamesJournal.rewrittenName)))
            }
        }
        #expect(pieces == 1)
        #expect(try Files.read(fixture.scratch.file(NamesJournal.fileName)) == before)
    }

    @Test func itIsDue_whenMostOfItIsOfThePast_whateverRunThatIsOf() throws {
        let scratch = try TemporaryDirectory()
        func journal() throws -> NamesJournal {
            try NamesJournal(directory: scratch.path, toldAll: true)
        }
        let entries = (0..<20_000).map { NamesEntry.forget(IndexFixture.digest($0 % 100)) }
        try journal().append(entries)
        let bytes = Int64(try Files.read(scratch.file(NamesJournal.fileName)).count)
        #expect(bytes > 3 << 19)
        #expect(try !journal().wantsRewriting(expecting: bytes))
        #expect(try !journal().wantsRewriting(expecting: bytes / 2))
        #expect(try journal().wantsRewriting(expecting: (bytes - (1 << 20)) / 2 - 1))
    }

    @Test func eachPiece_isALookUpByKey() throws {
        let fixture = try IndexFixture()
        let connection = try Connection(path: fixture.scratch.file("index.db"), readOnly: true)
        for query in [Query.linksAfter, .manifestsAfter, .tagsAfter] {
            let plan = try connection.plan(query)
            #expect(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "\(query): \(plan)")
        }
    }

    private func noting(_ body: () async throws -> Void) async {
        do { try await body() } catch { Issue.record(error) }
    }

    /// Compares the index with one that is rebuilt from what lies beside it.
    private func expectSame(_ fixture: IndexFixture, _ when: String) async throws {
        let scratch = try TemporaryDirectory()
        for name in [NamesJournal.fileName, NamesJournal.rewrittenName]
        where Files.exists(fixture.scratch.file(name)) {
            try Files.write(scratch.file(name), Files.read(fixture.scratch.file(name)))
        }
        let rebuilt = try IndexFixture(scratch, clock: fixture.clock).index
        #expect(!Files.exists(scratch.file(NamesJournal.rewrittenName)))
        let index = fixture.index
        let names = rebuilt.rememberedNames()
        var links = 0
        for number in Changes.numbers {
            let digest = IndexFixture.digest(number)
            for (repository, name) in Changes.places {
                let isLinked = try index.isLinked(repository: repository, name: name, digest)
                links += isLinked ? 1 : 0
                guard
                    try rebuilt.isLinked(repository: repository, name: name, digest) == isLinked
                else {
                    Issue.record("\(when): \(number) in \(repository) is linked: \(isLinked)")
                    return
                }
            }
            #expect(try names.mediaType(of: digest) == index.manifest(digest)?.mediaType, "\(when)")
        }
        #expect(links > 2000)
        for (repository, name) in Changes.places {
            for tag in Changes.tags {
                let told = try rebuilt.tag(repository: repository, name: name, tag)
                let row = try index.tag(repository: repository, name: name, tag)
                // To what is no more: of no use.
                if row == nil, let told, try index.manifest(told.digest) == nil { continue }
                #expect(told?.digest == row?.digest, "\(when): \(tag.text) in \(repository)")
            }
        }
        #expect(try rebuilt.pins() == index.pins(), "\(when)")
    }
}

/// What may happen to names, drawn by a seed.
private struct Changes {
    static let numbers = 0..<4000
    static let places = ["hub", HostedKey.key("own")].flatMap { repository in
        ["library/app", "team/service"].map { (repository, IndexFixture.name($0)) }
    }
    static let tags = (0..<6).map { IndexFixture.tag("v\($0)") }

    private var dice: Dice
    /// Images come from the end, each of them once: the journal may tell of tags to one that is
    /// gone.
    private var nextImage: Int

    init(seed: UInt64) {
        dice = Dice(seed: seed)
        nextImage = Self.numbers.upperBound - 1 - Int(seed % 2) * 500
    }

    /// Enough names for several pieces.
    mutating func fill(_ fixture: IndexFixture) async throws {
        for start in stride(from: 0, to: 3000, by: 100) {
            let (repository, name) = pick(Self.places)
            try await fixture.index.link(
                repository: repository, name: name,
                (start..<start + 100).map { IndexFixture.digest($0) })
        }
        for _ in 0..<60 { try await makeOne(fixture) }
    }

    mutating func makeOne(_ fixture: IndexFixture) async throws {
        let index = fixture.index
        let (repository, name) = pick(Self.places)
        let digest = IndexFixture.digest(Int.random(in: 0..<3000, using: &dice))
        switch Int.random(in: 0..<9, using: &dice) {
        case 0..<2:
            let other = IndexFixture.digest(Int.random(in: 0..<3000, using: &dice))
            try await index.link(repository: repository, name: name, [digest, other])
        case 2: _ = try await index.unhost(repository: repository, name: name, digest)
        case 3..<6:
            nextImage -= 1
            let digest = IndexFixture.digest(nextImage)
            try await fixture.image(
                nextImage, [1, 2], at: Int64(4000 - nextImage), repository: repository,
                name: name.text)
            if HostedKey.isHosted(repository) {
                _ = try await index.host(repository: repository, name: name, [digest])
            }
            _ = try await index.bind(
                repository: repository, name: name, pick(Self.tags), to: digest, checkedAt: 7)
        case 6: try await index.unbind(repository: repository, name: name, pick(Self.tags))
        case 7:
            let pin = PinRow(repository: "hub", name: name.text, reference: pick(Self.tags).text)
            if Bool.random(using: &dice) {
                try await index.pin(pin)
            } else {
                _ = try await index.unpin(
                    repository: "hub", name: name.text, reference: pin.reference)
            }
        default: _ = try await fixture.evict(bytes: 1, among: [])
        }
    }

    private mutating func pick<T>(_ choices: [T]) -> T {
        choices[Int.random(in: choices.indices, using: &dice)]
    }
}
