import OCI
import Reactor
import TestSupport
import Testing

@testable import Index

/// What is hosted: held against eviction, let go by rules, remembered when the index is lost.
struct HostedIndexTests {
    private static let key = HostedKey.key("releases")
    private static let app = IndexFixture.name("team/app")
    private static let other = IndexFixture.name("team/other")

    private func record(_ number: Int, _ children: [Int]) -> ManifestRecord {
        ManifestRecord(
            digest: IndexFixture.digest(number), mediaType: "m", size: 4095,
            children: children.map {
                ChildRow(digest: IndexFixture.digest($0), size: 10, mediaType: "c")
            })
    }

    /// Pushes manifest `number` with its blobs, under a tag.
    private func push(
        _ fixture: IndexFixture, _ number: Int, _ children: [Int], _ tag: String, at stamp: Int64
    ) async throws {
        for each in children + [number] { try await fixture.blob(each, at: stamp) }
        _ = try await fixture.index.host(
            repository: Self.key, name: Self.app, children.map { IndexFixture.digest($0) })
        let outcome = try await fixture.index.push(
            manifest: record(number, children), repository: Self.key, name: Self.app,
            tags: [IndexFixture.tag(tag)]
        ) { _ in true }
        #expect(outcome == .recorded)
    }

    // DUR-7
    @Test func whatIsHosted_isNeverEvicted() async throws {
        let fixture = try IndexFixture()
        try await push(fixture, 1, [2, 3], "v1", at: 1)
        try await fixture.image(10, [2, 11], at: 2)
        try await fixture.blob(11, at: 3)
        let gone = try await fixture.evict(bytes: .max, among: [1, 2, 3, 10, 11])
        #expect(Set(gone) == [10, 11])
        for number in [1, 2, 3] { #expect(try fixture.isStored(number)) }
        #expect(try fixture.index.heldDisk() == 3 * 4096)
        // Fetched for a proxy, too: it stays hosted.
        try await fixture.blob(2, at: 9)
        #expect(try await fixture.evict(bytes: .max, among: [1, 2, 3]) == [])
    }

    // A hosted blob whose file is lost, named by an image that is evicted.
    @Test func whatIsHostedAndLost_keepsItsName() async throws {
        let fixture = try IndexFixture()
        try await push(fixture, 1, [2], "v1", at: 1)
        try await fixture.index.forget(IndexFixture.digest(2))
        try await fixture.image(10, [2, 11], at: 2)
        let gone = try await fixture.evict(bytes: .max, among: [1, 2, 10, 11])
        #expect(gone == [10])
        #expect(
            try fixture.index.isLinked(
                repository: Self.key, name: Self.app, IndexFixture.digest(2)))
        try await fixture.blob(2, at: 3)
        #expect(try await fixture.evict(bytes: .max, among: [1, 2]) == [])
    }

    @Test func whatIsDeleted_mayGo() async throws {
        let fixture = try IndexFixture()
        try await push(fixture, 1, [2], "v1", at: 1)
        let digest = IndexFixture.digest(1)
        let index = fixture.index
        #expect(try await index.unhost(repository: Self.key, name: Self.app, digest))
        #expect(try await !index.unhost(repository: Self.key, name: Self.app, digest))
        #expect(try index.tag(repository: Self.key, name: Self.app, IndexFixture.tag("v1")) == nil)
        #expect(try !index.isLinked(repository: Self.key, name: Self.app, digest))
        // Its blob has its lease still, and stays by itself.
        #expect(try await fixture.evict(bytes: .max, among: [1, 2]) == [1])
        #expect(try await fixture.evict(bytes: .max, among: [1, 2]) == [])
        #expect(try fixture.isStored(2))
    }

    // P12: nothing is let go that a manifest needs, or before its lease is over.
    @Test func blobsThatNothingNeeds_areLetGoAfterTheirLease() async throws {
        let fixture = try IndexFixture()
        try await push(fixture, 1, [2], "v1", at: 1)
        try await fixture.blob(5, at: 1)
        let index = fixture.index
        _ = try await index.host(
            repository: Self.key, name: Self.app, [IndexFixture.digest(5)])
        _ = try await index.host(
            repository: Self.key, name: Self.other, [IndexFixture.digest(2)])
        func collect(before time: Int64) async throws -> Int {
            var (last, count): (Int64, Int) = (-1, 0)
            while let found = try await index.collect(after: last, linkedBefore: time) {
                (last, count) = (found.repository, count + found.count)
            }
            return count
        }
        let now = fixture.clock.wallSeconds
        #expect(try await collect(before: now) == 0)
        // Both are needed by nothing under their name.
        #expect(try await collect(before: now + 1) == 2)
        #expect(
            try !index.isLinked(
                repository: Self.key, name: Self.other, IndexFixture.digest(2)))
        #expect(
            try index.isLinked(repository: Self.key, name: Self.app, IndexFixture.digest(2)))
        #expect(try await fixture.evict(bytes: .max, among: [1, 2, 5]) == [5])
    }

    // P12: what a collection lets go between the look and the push is noticed.
    @Test func aManifestWhoseBlobsHaveGone_isRefused() async throws {
        let fixture = try IndexFixture()
        for each in 1...3 { try await fixture.blob(each, at: 1) }
        let index = fixture.index
        _ = try await index.host(
            repository: Self.key, name: Self.app, [IndexFixture.digest(2)])
        // 3 is stored, and shown under another name only.
        _ = try await index.host(
            repository: Self.key, name: Self.other, [IndexFixture.digest(3)])
        let outcome = try await index.push(
            manifest: record(1, [2, 3]),
            needing: [IndexFixture.digest(2), IndexFixture.digest(3)], repository: Self.key,
            name: Self.app, tags: [IndexFixture.tag("v1")]
        ) { _ in true }
        #expect(outcome == .blobsGone([IndexFixture.digest(3)]))
        #expect(try index.tag(repository: Self.key, name: Self.app, IndexFixture.tag("v1")) == nil)
        #expect(
            try !index.isLinked(repository: Self.key, name: Self.app, IndexFixture.digest(1)))
    }

    @Test func whatHasGone_isNotHosted() async throws {
        let fixture = try IndexFixture()
        try await fixture.blob(1, at: 1)
        let digests = [1, 2].map { IndexFixture.digest($0) }
        let index = fixture.index
        #expect(try await !index.host(repository: Self.key, name: Self.app, digests))
        #expect(try !index.isLinked(repository: Self.key, name: Self.app, digests[0]))
        #expect(try !index.owns(repository: Self.key, name: Self.app))
        #expect(try await index.host(repository: Self.key, name: Self.app, [digests[0]]))
    }

    @Test func whatSomebodyCountsOn_isNotCollected() async throws {
        let fixture = try IndexFixture()
        for each in 1...2 { try await fixture.blob(each, at: 1) }
        let index = fixture.index
        _ = try await index.host(
            repository: Self.key, name: Self.app, (1...2).map { IndexFixture.digest($0) })
        let found = try await index.collect(
            after: -1, linkedBefore: fixture.clock.wallSeconds + 1
        ) { repository, name, digest in
            repository == Self.key && name == Self.app.text && digest != IndexFixture.digest(1)
        }
        #expect(found?.count == 1)
        #expect(found?.key == Self.key)
        #expect(
            try index.isLinked(repository: Self.key, name: Self.app, IndexFixture.digest(1)))
        #expect(
            try !index.isLinked(repository: Self.key, name: Self.app, IndexFixture.digest(2)))
    }

    @Test func manifestsThatNothingRefersTo_goByARule() async throws {
        let fixture = try IndexFixture()
        let index = fixture.index
        // 1 loses its tag to 2; 3 is about 2, 4 about 1; 5 lists 6.
        try await push(fixture, 1, [], "v1", at: 1)
        try await push(fixture, 2, [], "v1", at: 2)
        for (number, subject) in [(3, 2), (4, 1)] {
            try await fixture.blob(number, at: 3)
            let about = ManifestRecord(
                digest: IndexFixture.digest(number), mediaType: "m", size: 4095,
                subject: IndexFixture.digest(subject), children: [])
            _ = try await index.push(
                manifest: about, repository: Self.key, name: Self.app, tags: []
            ) { _ in true }
        }
        try await push(fixture, 6, [], "v6", at: 4)
        try await push(fixture, 5, [6], "v5", at: 4)
        _ = try await index.untag(
            repository: Self.key, name: Self.app, IndexFixture.tag("v6"))
        func left() throws -> [Int] {
            try (1...6).filter {
                try index.isLinked(
                    repository: Self.key, name: Self.app, IndexFixture.digest($0))
            }
        }
        let now = fixture.clock.wallSeconds
        func expire(before time: Int64, last: Int? = 9) async throws -> Int {
            try await index.expireTags(
                repository: Self.key, name: Self.app, keepingLast: last, boundBefore: nil,
                untaggedBefore: time
            ).manifests
        }
        #expect(try await expire(before: now) == 0)
        #expect(try await expire(before: now + 1, last: nil) == 0, "without a rule all stays")
        #expect(try await expire(before: now + 1) == 1)
        #expect(try left() == [2, 3, 4, 5, 6])
        #expect(try await expire(before: now + 1) == 1)
        #expect(try left() == [2, 3, 5, 6])
        #expect(try await expire(before: now + 1) == 0)
    }

    @Test(
        arguments: [
            (last: 2, younger: nil, left: ["v3", "v4"]),
            (last: nil, younger: 15, left: ["v3", "v4"]),
            (last: 1, younger: 25, left: ["v2", "v3", "v4"]),
            (last: 3, younger: 5, left: ["v2", "v3", "v4"]),
            (last: nil, younger: nil, left: ["v1", "v2", "v3", "v4"]),
        ] as [(last: Int?, younger: Int64?, left: [String])])
    func tagsGo_whenNoRuleKeepsThem(last: Int?, younger: Int64?, left: [String]) async throws {
        let fixture = try IndexFixture()
        for number in 1...4 {
            try await push(fixture, number, [], "v\(number)", at: Int64(number))
            fixture.clock.advance(by: .seconds(10))
        }
        let now = fixture.clock.wallSeconds - 10
        _ = try await fixture.index.expireTags(
            repository: Self.key, name: Self.app, keepingLast: last,
            boundBefore: younger.map { now - $0 })
        let tags = try fixture.index.tags(repository: Self.key, name: Self.app, limit: 10)
        #expect(tags.map(\.text) == left)
        let held = try (1...4).filter {
            try fixture.index.isLinked(
                repository: Self.key, name: Self.app, IndexFixture.digest($0))
        }
        #expect(held.map { "v\($0)" } == left)
    }

    @Test func aTagThatMayNotMove_staysWhereItIs() async throws {
        let fixture = try IndexFixture()
        try await push(fixture, 1, [], "v1", at: 1)
        try await fixture.blob(2, at: 2)
        let tag = IndexFixture.tag("v1")
        let outcome = try await fixture.index.push(
            manifest: record(2, []), repository: Self.key, name: Self.app,
            tags: [IndexFixture.tag("new"), tag]
        ) { _ in false }
        #expect(outcome == .tagTaken(tag, IndexFixture.digest(1)))
        #expect(
            try fixture.index.tag(repository: Self.key, name: Self.app, IndexFixture.tag("new"))
                == nil)
    }

    // DUR-4
    @Test func aLostIndex_remembersWhatIsHosted() async throws {
        let scratch = try TemporaryDirectory()
        do {
            let fixture = try IndexFixture(scratch)
            try await push(fixture, 1, [2], "v1", at: 1)
            try await push(fixture, 3, [], "v3", at: 1)
            _ = try await fixture.index.unhost(
                repository: Self.key, name: Self.app, IndexFixture.digest(3))
            await fixture.index.close()
        }
        for name in Files.names(scratch.path) where name.hasPrefix("index.db") {
            Files.removeTree(scratch.file(name))
        }
        let fixture = try IndexFixture(scratch)
        for number in [1, 2, 3] { try await fixture.blob(number, at: 5) }
        #expect(try await fixture.evict(bytes: .max, among: [1, 2, 3]) == [3])
        #expect(try fixture.index.owns(repository: Self.key, name: Self.app))
        #expect(
            try !fixture.index.isLinked(
                repository: Self.key, name: Self.app, IndexFixture.digest(3)))
    }
}
