import OCI
import Reactor
import TestSupport
import Testing

@testable import Index

struct ContentIndexTests {
    private let hub = "hub"
    private let app = IndexFixture.name("library/app")

    @Test func aRecordedBlob_isFound_andCounted() async throws {
        let fixture = try IndexFixture()
        let digest = IndexFixture.digest(1)
        #expect(try fixture.index.blob(digest) == nil)
        let added = try await fixture.index.record(blob: digest, size: 5, disk: 4096, stamp: 7)
        #expect(added == 4096)
        #expect(
            try fixture.index.blob(digest)
                == BlobRow(size: 5, disk: 4096, lastUsed: 7, isRoot: true))
        #expect(
            fixture.index.totals == IndexTotals(blobs: 1, manifests: 0, bytes: 5, disk: 4096))
        let again = try await fixture.index.record(blob: digest, size: 5, disk: 8192, stamp: 7)
        #expect(again == 4096)
        #expect(fixture.index.totals.blobs == 1)
    }

    @Test func sha512Digests_areKeptBesideSha256() async throws {
        let fixture = try IndexFixture()
        let long = IndexFixture.digest(1, .sha512)
        _ = try await fixture.index.record(blob: long, size: 1, disk: 4096, stamp: 1)
        #expect(try fixture.index.blob(long)?.size == 1)
        #expect(try fixture.index.blob(IndexFixture.digest(1)) == nil)
        let first = long.bytes[0]
        #expect(try fixture.index.digests(startingWith: first) == [long])
        #expect(try fixture.index.digests(startingWith: first &+ 1).isEmpty)
    }

    @Test func knowingADigest_isNoRightToReadIt() async throws {
        let fixture = try IndexFixture()
        try await fixture.image(1, [2, 3], at: 1)
        try await fixture.index.link(
            repository: hub, name: app, [2, 3].map { IndexFixture.digest($0) })
        for number in 1...3 {
            let digest = IndexFixture.digest(number)
            #expect(try fixture.index.isLinked(repository: hub, name: app, digest))
            #expect(try !fixture.index.isLinked(repository: "quay", name: app, digest))
            let other = IndexFixture.name("library/other")
            #expect(try !fixture.index.isLinked(repository: hub, name: other, digest))
        }
        try await fixture.index.link(repository: "quay", name: app, [IndexFixture.digest(2)])
        #expect(
            try fixture.index.isLinked(repository: "quay", name: app, IndexFixture.digest(2)))
    }

    @Test func aManifestWithoutItsFile_isNotRecorded() async throws {
        let fixture = try IndexFixture()
        let record = ManifestRecord(digest: IndexFixture.digest(1), mediaType: "m", size: 1)
        #expect(
            try await !fixture.index.record(manifest: record, repository: hub, name: app))
        #expect(try fixture.index.manifest(IndexFixture.digest(1)) == nil)
    }

    @Test func whatAManifestNames_isNotLinked() async throws {
        // AUTH-1: whoever publishes a manifest may write any digest into it.
        let fixture = try IndexFixture()
        try await fixture.image(1, [2, 3], at: 1)
        #expect(
            try fixture.index.isLinked(repository: hub, name: app, IndexFixture.digest(1)))
        for child in [2, 3] {
            #expect(
                try !fixture.index.isLinked(repository: hub, name: app, IndexFixture.digest(child)))
        }
    }

    @Test func whatOnlyALoginWasShown_isNotPublic() async throws {
        // AUTH-1
        let fixture = try IndexFixture()
        let digest = IndexFixture.digest(1)
        func isPublic(at part: String) throws -> Bool {
            try fixture.index.isPublic(digest, loginMark: "!", orShownAt: part)
        }
        #expect(try isPublic(at: "@b"), "nobody has claimed it")
        try await fixture.index.link(repository: "corp@a!1", name: app, [digest])
        #expect(try !isPublic(at: "@b"))
        #expect(try isPublic(at: "@a"), "another login at the same upstream may ask that")
        try await fixture.index.link(repository: "hub@c", name: app, [digest])
        #expect(try isPublic(at: "@b"))
    }

    @Test func aManifestWithTooManyChildren_isRefused() async throws {
        let fixture = try IndexFixture()
        await #expect(throws: IndexError.tooManyChildren(ContentIndex.childrenMax + 1)) {
            try await fixture.image(1, Array(2...(ContentIndex.childrenMax + 2)), at: 1)
        }
    }

    @Test func theSizeOfAnUnstoredBlob_isKnownFromItsManifest() async throws {
        // INT-11
        let fixture = try IndexFixture()
        try await fixture.image(1, [2], at: 1)
        func expectedSize(of digest: Int, _ repository: String) throws -> Int64? {
            try fixture.index.expectedSize(
                of: IndexFixture.digest(digest), repository: repository, name: app)
        }
        #expect(try expectedSize(of: 2, hub) == 10)
        #expect(try expectedSize(of: 3, hub) == nil)
        #expect(try expectedSize(of: 2, "another") == nil)
        #expect(
            try fixture.index.children(of: IndexFixture.digest(1)).map(\.digest)
                == [IndexFixture.digest(2)])
    }

    @Test func aTag_isBoundOnlyToAStoredManifest_andKeepsItsAge() async throws {
        // INT-8, OPS-4
        let fixture = try IndexFixture()
        let now = fixture.clock.wallSeconds
        let latest = IndexFixture.tag("latest")
        let digest = IndexFixture.digest(1)
        let index = fixture.index
        let isBound = try await index.bind(
            repository: hub, name: app, latest, to: digest, checkedAt: now)
        #expect(!isBound)
        try await fixture.image(1, [], at: 1)
        #expect(
            try await index.bind(
                repository: hub, name: app, latest, to: digest, checkedAt: now - 50))
        try await index.renew(repository: hub, name: app, latest, checkedAt: now + 1_000_000)
        let row = try index.tag(repository: hub, name: app, latest)
        #expect(row == TagRow(digest: digest, checkedAt: now, createdAt: now - 50))
        try await index.unbind(repository: hub, name: app, latest)
        #expect(try index.tag(repository: hub, name: app, latest) == nil)
    }

    @Test func tags_comeInAsciiOrder_andInPages() async throws {
        let fixture = try IndexFixture()
        try await fixture.image(1, [], at: 1)
        for text in ["b", "a", "B", "1.0", "_x"] {
            _ = try await fixture.index.bind(
                repository: hub, name: app, IndexFixture.tag(text),
                to: IndexFixture.digest(1), checkedAt: 1)
        }
        let index = fixture.index
        let first = try index.tags(repository: hub, name: app, limit: 2)
        #expect(first.map(\.text) == ["1.0", "B"])
        let rest = try index.tags(repository: hub, name: app, after: "B", limit: 9)
        #expect(rest.map(\.text) == ["_x", "a", "b"])
    }

    @Test func referrers_areThoseLinkedInTheRepository() async throws {
        let fixture = try IndexFixture()
        let subject = IndexFixture.digest(9)
        for (number, type) in [(1, "sbom"), (2, "signature")] {
            try await fixture.blob(number, at: 1)
            let record = ManifestRecord(
                digest: IndexFixture.digest(number), mediaType: "m", size: 7,
                artifactType: type, subject: subject, annotations: #"{"k":"v"}"#)
            _ = try await fixture.index.record(manifest: record, repository: hub, name: app)
        }
        let index = fixture.index
        #expect(
            try index.referrers(repository: hub, name: app, subject: subject, limit: 9).rows.count
                == 2)
        let sboms = try index.referrers(
            repository: hub, name: app, subject: subject, artifactType: "sbom", limit: 9
        ).rows
        #expect(sboms.map(\.digest) == [IndexFixture.digest(1)])
        #expect(sboms.first?.descriptor.annotations == ["k": "v"])
        #expect(
            try index.referrers(repository: "quay", name: app, subject: subject, limit: 9)
                .rows.isEmpty)
    }

    @Test func referrers_comeInPages() async throws {
        let fixture = try IndexFixture()
        let subject = IndexFixture.digest(9)
        for number in 1...5 {
            try await fixture.blob(number, at: 1)
            let record = ManifestRecord(
                digest: IndexFixture.digest(number), mediaType: "m", size: 7, artifactType: nil,
                subject: subject, annotations: "{}" + String(repeating: " ", count: 98))
            _ = try await fixture.index.record(manifest: record, repository: hub, name: app)
        }
        for (limit, bytesMax, sizes) in [
            (2, Int.max, [2, 2, 1]), (9, 250, [2, 2, 1]), (9, 1, [1]),
        ] {
            var last: Digest?
            var found: [Digest] = []
            for (order, size) in sizes.enumerated() {
                let page = try fixture.index.referrers(
                    repository: hub, name: app, subject: subject, artifactType: "", after: last,
                    limit: limit, bytesMax: bytesMax)
                #expect(page.rows.count == size)
                #expect(page.hasMore == (order < sizes.count - 1 || sizes.count == 1))
                found += page.rows.map(\.digest)
                last = found.last
            }
            #expect(found == found.sorted() && Set(found).count == found.count)
        }
    }

    @Test func whatUpstreamsSaidIsKept_upToABound() async throws {
        let fixture = try IndexFixture()
        let index = fixture.index
        func kept(_ number: Int) throws -> [UInt8]? {
            try index.keptReferrers(
                repository: hub, name: app, subject: IndexFixture.digest(number))
        }
        let overhead = ContentIndex.keptReferrersOverhead
        let part = Int(ContentIndex.keptReferrersBytesMax / 4 - overhead)
        func keep(_ number: Int, _ count: Int) async throws {
            try await index.keepReferrers(
                repository: hub, name: app, subject: IndexFixture.digest(number),
                [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: count))
        }
        for number in 1...4 { try await keep(number, part) }
        #expect(try kept(1)?.first == 1)
        // Short ones take place, too; and then there is room for a while.
        try await keep(5, 1)
        #expect(try kept(1) == nil && kept(2)?.first == 2 && kept(5) == [5])
        try await keep(6, part / 2)
        #expect(try kept(2)?.first == 2)
        try await keep(6, part)
        #expect(try kept(2) == nil && kept(3)?.first == 3 && kept(6)?.count == part)
        try await index.keepReferrers(
            repository: hub, name: app, subject: IndexFixture.digest(3), [7])
        #expect(try kept(3) == [7])
        #expect(
            try index.keptReferrers(
                repository: "quay", name: app, subject: IndexFixture.digest(3)) == nil)
    }

    @Test func whereAGroupFoundAName_isRemembered() async throws {
        let fixture = try IndexFixture()
        try await fixture.index.locate(group: "all", name: app, in: hub)
        #expect(try fixture.index.located(group: "all", name: app) == hub)
        try await fixture.index.locate(group: "all", name: app, in: nil)
        #expect(try fixture.index.located(group: "all", name: app) == nil)
    }

    @Test func aRestart_keepsEverything() async throws {
        let scratch = try TemporaryDirectory()
        let fixture = try IndexFixture(scratch)
        try await fixture.image(1, [2], at: 5)
        try await fixture.blob(2, at: 6)
        _ = try await fixture.index.bind(
            repository: hub, name: app, IndexFixture.tag("v1"), to: IndexFixture.digest(1),
            checkedAt: 3)
        let before = fixture.index.totals
        // Not closed: as after kill -9.
        let again = try IndexFixture(scratch)
        #expect(again.index.totals == before)
        #expect(try again.index.newestUse() == 6)
        #expect(
            try again.index.tag(repository: hub, name: app, IndexFixture.tag("v1"))?.digest
                == IndexFixture.digest(1))
        await again.index.close()
        await #expect(throws: IndexError.closed) {
            try await again.index.touch([UseMark(digest: IndexFixture.digest(1), stamp: 9)])
        }
    }

    @Test func aForgottenManifest_leavesItsChildrenAsRoots() async throws {
        // INT-10
        let fixture = try IndexFixture()
        try await fixture.image(1, [2], at: 5)
        try await fixture.blob(2, at: 1)
        #expect(try fixture.index.blob(IndexFixture.digest(2))?.isRoot == false)
        try await fixture.index.forget(IndexFixture.digest(1))
        let row = try fixture.index.blob(IndexFixture.digest(2))
        #expect(row?.isRoot == true)
        #expect(row?.lastUsed == 5)
        #expect(fixture.index.totals.manifests == 0)
    }
}
