import Index
import OCI
import Reactor
import TestSupport

@testable import Store

/// Opens a crash image and tells everything that is not as promised (P2, DUR-1, DUR-4, DUR-5).
struct ImageCheck {
    private(set) var problems: [String] = []
    private let top: String
    private let stock: Stock
    private let expected: Expectation
    private let maxSize: Int64

    private var root: String { StoreRun.root(top) }

    init(
        _ top: String, _ stock: Stock, _ expected: Expectation, seed: UInt64, maxSize: Int64,
        recorder: OperationRecorder? = nil
    ) {
        self.top = top
        self.stock = stock
        self.expected = expected
        self.maxSize = maxSize
        do {
            var run: StoreRun?
            func start() throws {
                let opened = try StoreRun(top, seed: seed, maxSize: maxSize)
                checkStart(opened)
                opened.run { await $0.reconcile() }
                run = opened
            }
            if let recorder { try recorder.record(start) } else { try start() }
            if let run {
                checkRest(run)
                checkUse(run)
                run.run { await $0.close() }
            }
        } catch {
            problems.append("does not open: \(error)")
        }
    }

    private mutating func expect(_ isTrue: Bool, _ problem: @autoclosure () -> String) {
        if !isTrue { problems.append(problem()) }
    }

    /// As soon as it is open, before files and index are compared.
    private mutating func checkStart(_ run: StoreRun) {
        expect(!run.events.hasSetIndexAside, "the index is damaged")
        checkBytes(run, "at the start")
    }

    /// Nothing is served that is not right.
    private mutating func checkBytes(_ run: StoreRun, _ moment: String) {
        for (digest, bytes) in stock.byDigest {
            guard let found = run.read(digest) else { continue }
            expect(found == bytes, "wrong bytes of \(digest) \(moment)")
        }
    }

    /// When files and index have been compared.
    private mutating func checkRest(_ run: StoreRun) {
        checkBytes(run, "after comparing")
        for digest in run.events.lost {
            expect(expected.unlinked.contains(digest.hex), "row without a file: \(digest)")
        }
        expect(run.events.failures == [], "errors: \(run.events.failures)")
        var (disk, all): (Int64, Int64) = (0, 0)
        var stored: Set<String> = []
        let leftovers = Set(run.store.leftovers.all.map(\.name.description))
        for file in Files.walk("\(root)/blobs") {
            all += file.diskBytes
            if file.isDirectory { continue }
            let name = String(file.path.split(separator: "/").last ?? "")
            if name.contains(".") {
                expect(leftovers.contains(name), "leaked: \(name)")
            } else {
                disk += file.diskBytes
                stored.insert(name)
            }
        }
        checkRows(run, stored, evicted: checkEviction(run, all))
        let (snapshot, maxSize) = (run.store.ledger.snapshot, self.maxSize)
        expect(disk == snapshot.committed, "\(disk) bytes in blobs, \(snapshot.committed) counted")
        expect(snapshot.reserved == 0, "\(snapshot.reserved) bytes reserved for nobody")
        expect(snapshot.used <= maxSize, "\(snapshot.used) bytes used, \(maxSize) allowed")
        let usage = Files.diskUsage(root)
        expect(usage <= snapshot.used, "\(usage) bytes on disk, \(snapshot.used) counted")
    }

    /// Evicts only what it must; gives how many files went.
    ///
    /// Evicted files may be back, beside those that took their place, and nobody can tell them from
    /// files whose rows were lost.
    private mutating func checkEviction(_ run: StoreRun, _ disk: Int64) -> Int {
        let evicted = run.events.evicted
        guard evicted.objects > 0 else { return 0 }
        let (held, maxSize) = (disk + evicted.bytes + run.store.index.footprint, self.maxSize)
        expect(held > maxSize, "evicted from \(held) bytes, \(maxSize) allowed")
        return evicted.objects
    }

    /// Files and rows are the same, and hold all that must last but for what had to be evicted.
    private mutating func checkRows(_ run: StoreRun, _ stored: Set<String>, evicted: Int) {
        var rows: Set<String> = []
        for first in UInt8.min...UInt8.max {
            let digests = (try? run.store.index.digests(startingWith: first)) ?? []
            rows.formUnion(digests.map(\.hex))
        }
        expect(rows.subtracting(stored).isEmpty, "rows only: \(rows.subtracting(stored))")
        expect(stored.subtracting(rows).isEmpty, "files only: \(stored.subtracting(rows))")
        let missing = expected.lasting.subtracting(rows)
        expect(missing.count <= evicted, "was lasting and is gone: \(missing)")
        let pending = (try? run.store.index.pending()) ?? []
        expect(
            pending.allSatisfy { run.store.leftovers[$0.digest] != nil }, "files are still pending")
    }

    /// It works: something new is stored and found.
    private mutating func checkUse(_ run: StoreRun) {
        let bytes = Array("a new beginning".utf8)
        let digest = StreamingHash.digest(of: bytes, .sha256)
        run.run { try? await $0.put(bytes, as: digest) }
        expect(run.read(digest) == bytes, "nothing can be stored")
        for leftover in run.store.leftovers.all {
            let digest = leftover.name.digest
            guard let bytes = stock.byDigest[digest] else { continue }
            run.run { await Self.goOn(digest, bytes, $0) }
            if let found = run.read(digest) { expect(found == bytes, "wrong bytes, gone on with") }
        }
    }

    /// Completes what was left of a blob; the power may have taken some of it, so that it is wrong.
    private static func goOn(_ digest: Digest, _ bytes: [UInt8], _ store: BlobStore) async {
        guard let offset = store.leftover(of: digest),
            let writer = try? await store.writer(
                for: digest, size: Int64(bytes.count), continues: true)
        else { return }
        do throws(StoreError) {
            try await writer.rehash()
            try await writer.append(Chunk(Array(bytes[Int(offset)...])))
            _ = try await writer.finish()
        } catch {
            await writer.abandon()
        }
    }
}
