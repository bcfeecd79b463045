import OCI
import Reactor
import TestSupport
import Testing

@testable import Index

struct EvictionTests {
    // OPS-4: as the clock was when the daemon started, and on from there.
    @Test func aPinHoldsUntilItEnds() async throws {
        let fixture = try IndexFixture()
        let (hub, app) = ("hub", IndexFixture.name("library/app"))
        try await fixture.image(1, [2], at: 1)
        try await fixture.blob(2, at: 1)
        _ = try await fixture.index.bind(
            repository: hub, name: app, IndexFixture.tag("v1"), to: IndexFixture.digest(1),
            checkedAt: 1)
        let pin = PinRow(
            repository: hub, name: app.text, reference: "v*",
            until: fixture.clock.wallSeconds + 60)
        try await fixture.index.pin(pin)
        fixture.clock.advance(by: .seconds(59))
        #expect(try fixture.index.pins() == [pin])
        #expect(try fixture.index.pinnedDisk() == 2 * 4096)
        #expect(try await fixture.evict(bytes: .max, among: [1, 2]) == [])
        fixture.clock.advance(by: .seconds(1))
        #expect(try fixture.index.pins() == [])
        #expect(try fixture.index.pinnedDisk() == 0)
        #expect(try await fixture.evict(bytes: .max, among: [1, 2]) == [1, 2])
    }

    @Test func theLeastRecentlyUsedImage_goesWhole_andSharedLayersStay() async throws {
        let fixture = try IndexFixture()
        // 1 and 2 share layer 10; 1 is older.
        try await fixture.image(1, [10, 11], at: 1)
        for layer in [10, 11] { try await fixture.blob(layer, at: 2) }
        try await fixture.image(2, [10, 12], at: 3)
        try await fixture.blob(12, at: 4)
        let gone = try await fixture.evict(bytes: 1, among: [1, 2, 10, 11, 12])
        #expect(Set(gone) == [1, 11])
        #expect(try fixture.isStored(10) && fixture.isStored(2) && fixture.isStored(12))
        let rest = try await fixture.evict(bytes: .max, among: [2, 10, 12])
        #expect(Set(rest) == [2, 10, 12])
        #expect(fixture.index.totals == IndexTotals())
    }

    @Test func anIndexGoes_withItsPlatforms_tagsAndLinks() async throws {
        let fixture = try IndexFixture()
        let (hub, app) = ("hub", IndexFixture.name("library/app"))
        try await fixture.image(1, [2, 3], at: 1)
        try await fixture.image(2, [4, 5], at: 2)
        try await fixture.blob(4, at: 2)
        _ = try await fixture.index.bind(
            repository: hub, name: app, IndexFixture.tag("v1"), to: IndexFixture.digest(1),
            checkedAt: 1)
        #expect(try fixture.index.blob(IndexFixture.digest(2))?.isRoot == false)
        let gone = try await fixture.evict(bytes: 1, among: [1, 2, 4])
        #expect(Set(gone) == [1, 2, 4])
        #expect(try fixture.index.tag(repository: hub, name: app, IndexFixture.tag("v1")) == nil)
        for number in 1...5 {
            // 3 and 5 were never stored: their links go too.
            #expect(
                try !fixture.index.isLinked(
                    repository: hub, name: app, IndexFixture.digest(number)))
        }
    }

    @Test func aUseOfASharedLayer_countsForTheFreshestImageOnly() async throws {
        let fixture = try IndexFixture()
        try await fixture.image(1, [10], at: 1)
        try await fixture.image(2, [10], at: 2)
        try await fixture.image(3, [20], at: 3)
        try await fixture.blob(10, at: 4)
        try await fixture.index.touch([UseMark(digest: IndexFixture.digest(10), stamp: 9)])
        #expect(try fixture.index.blob(IndexFixture.digest(1))?.lastUsed == 1)
        #expect(try fixture.index.blob(IndexFixture.digest(2))?.lastUsed == 9)
        #expect(try await fixture.evict(bytes: 1, among: [1, 2, 3, 10]) == [1])
        #expect(try await fixture.evict(bytes: 1, among: [1, 2, 3, 10]) == [3])
    }

    @Test func aUseOfAPlatform_keepsItsIndex() async throws {
        let fixture = try IndexFixture()
        try await fixture.image(1, [2], at: 1)
        try await fixture.image(2, [], at: 1)
        try await fixture.image(3, [], at: 5)
        try await fixture.index.touch([UseMark(digest: IndexFixture.digest(2), stamp: 8)])
        #expect(try await fixture.evict(bytes: 1, among: [1, 2, 3]) == [3])
    }

    @Test func theOwnImage_andWhatIsInUse_stay() async throws {
        // DUR-7
        let fixture = try IndexFixture()
        for number in 1...4 {
            try await fixture.image(number, [number + 10], at: Int64(number))
        }
        try await fixture.blob(12, at: 2)
        let busy = IndexFixture.digest(12)
        let gone = try await fixture.evict(bytes: .max, kept: [11], among: Array(1...14)) {
            !$0.contains(busy)
        }
        // 1 is the image of the (unstored) layer 11, 12 is being read.
        #expect(Set(gone) == [3, 4])
    }

    @Test func evictedFiles_arePendingUntilSettled() async throws {
        // DUR-5: a crash between the transaction and the unlinks leaves a list of what to unlink.
        let fixture = try IndexFixture()
        try await fixture.blob(1, at: 1)
        let gone = try await fixture.index.evict(EvictionRequest(bytes: 1)) { _ in true }
        #expect(gone.count == 1)
        let row = PendingRow(digest: IndexFixture.digest(1), disk: 4096, isDoomed: true)
        #expect(try fixture.index.pending() == [row])
        try await fixture.index.announce(IndexFixture.digest(1), disk: 8192)
        #expect(try fixture.index.pending().map(\.isDoomed) == [false])
        try await fixture.blob(1, at: 2)
        #expect(try fixture.index.pending().isEmpty)
    }

    @Test func theSearchForVictims_isAnIndexScan() throws {
        let fixture = try IndexFixture()
        let connection = try Connection(path: "\(fixture.scratch.path)/index.db", readOnly: true)
        for query in [Query.oldestRoots, .parents, .storedChildren, .deleteTagsTo, .deleteLinks] {
            let plan = try connection.plan(query)
            #expect(!plan.contains("SCAN"), "\(query): \(plan)")
            #expect(!plan.contains("TEMP B-TREE"), "\(query): \(plan)")
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func eviction_agreesWithANaiveModel(seed: UInt64) async throws {
        print("seed \(seed)")
        var generator = Dice(seed: seed)
        let fixture = try IndexFixture()
        var model = ImageModel()
        var stamp: Int64 = 0
        for _ in 0..<300 {
            stamp += 1
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<3:
                // Manifests 0..<40 name higher-numbered ones, so that there is no circle.
                let number = Int.random(in: 0..<40, using: &generator)
                guard !model.stored.contains(number) else { continue }
                let children = Set(
                    (0..<4).map { _ in Int.random(in: (number + 1)..<80, using: &generator) })
                try await fixture.image(number, children.sorted(), at: stamp)
                model.storeManifest(number, children, stamp)
            case 3..<7:
                let number = Int.random(in: 40..<80, using: &generator)
                guard !model.stored.contains(number) else { continue }
                try await fixture.blob(number, at: stamp)
                model.storeBlob(number, stamp)
            case 7..<9:
                let number = Int.random(in: 0..<80, using: &generator)
                try await fixture.index.touch(
                    [UseMark(digest: IndexFixture.digest(number), stamp: stamp)])
                model.use(number, stamp)
            default:
                let gone = try await fixture.evict(bytes: 1, among: Array(0..<80))
                #expect(Set(gone) == model.evict(), "after \(stamp)")
            }
            #expect(fixture.index.totals.blobs == model.stored.count)
        }
        let stored = try (0..<80).filter { try fixture.isStored($0) }
        #expect(Set(stored) == model.stored)
    }
}

/// What the index should do, said as plainly as possible.
private struct ImageModel {
    var stored: Set<Int> = []
    var children: [Int: Set<Int>] = [:]
    var used: [Int: Int64] = [:]

    private func parents(_ number: Int) -> [Int] {
        children.filter { $0.value.contains(number) }.map(\.key)
    }

    private func roots(above number: Int) -> Set<Int> {
        let above = parents(number)
        if above.isEmpty { return stored.contains(number) ? [number] : [] }
        return Set(above.flatMap { roots(above: $0) })
    }

    private func freshest(above number: Int) -> Int? {
        roots(above: number).max { used[$0, default: 0] < used[$1, default: 0] }
    }

    mutating func use(_ number: Int, _ stamp: Int64) {
        guard let root = freshest(above: number) else { return }
        used[root] = max(used[root, default: 0], stamp)
    }

    mutating func storeBlob(_ number: Int, _ stamp: Int64) {
        stored.insert(number)
        used[number] = stamp
        use(number, stamp)
    }

    mutating func storeManifest(_ number: Int, _ names: Set<Int>, _ stamp: Int64) {
        storeBlob(number, stamp)
        let newest = names.compactMap { freshest(above: $0).flatMap { used[$0] } }.max() ?? 0
        children[number] = names
        use(number, newest)
    }

    mutating func evict() -> Set<Int> {
        let roots = stored.filter { parents($0).isEmpty }
        guard let root = roots.min(by: { used[$0, default: 0] < used[$1, default: 0] })
        else { return [] }
        var gone: Set<Int> = [root]
        var grew = true
        while grew {
            grew = false
            for number in stored.subtracting(gone) {
                let above = parents(number)
                if !above.isEmpty, gone.isSuperset(of: above) {
                    gone.insert(number)
                    grew = true
                }
            }
        }
        for number in gone {
            stored.remove(number)
            children[number] = nil
        }
        return gone
    }
}
