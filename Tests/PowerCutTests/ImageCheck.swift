import Index
import OCI
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
        var disk: Int64 = 0
        var stored: Set<String> = []
        for file in Files.walk(root) where !file.isDirectory {
            guard file.path.hasPrefix("\(root)/blobs/") else { continue }
            disk += file.diskBytes
            // A growing file among them is one that nobody writes any more: leaked.
            stored.insert(String(file.path.split(separator: "/").last ?? ""))
        }
        checkRows(run, stored)
        let (snapshot, maxSize) = (run.store.ledger.snapshot, self.maxSize)
        expect(disk == snapshot.committed, "\(disk) bytes in blobs, \(snapshot.committed) counted")
        expect(snapshot.reserved == 0, "\(snapshot.reserved) bytes reserved for nobody")
        expect(snapshot.used <= maxSize, "\(snapshot.used) bytes used, \(maxSize) allowed")
        let all = Files.diskUsage(root)
        expect(all <= snapshot.used, "\(all) bytes on disk, \(snapshot.used) counted")
    }

    /// Files and rows are the same, and hold all that must last.
    private mutating func checkRows(_ run: StoreRun, _ stored: Set<String>) {
        var rows: Set<String> = []
        for first in UInt8.min...UInt8.max {
            let digests = (try? run.store.index.digests(startingWith: first)) ?? []
            rows.formUnion(digests.map(\.hex))
        }
        expect(rows.subtracting(stored).isEmpty, "rows only: \(rows.subtracting(stored))")
        expect(stored.subtracting(rows).isEmpty, "files only: \(stored.subtracting(rows))")
        let missing = expected.lasting.subtracting(rows)
        expect(missing.isEmpty, "was lasting and is gone: \(missing)")
        expect((try? run.store.index.pending())?.isEmpty == true, "files are still pending")
    }

    /// It works: something new is stored and found.
    private mutating func checkUse(_ run: StoreRun) {
        let bytes = Array("a new beginning".utf8)
        let digest = StreamingHash.digest(of: bytes, .sha256)
        run.run { try? await $0.put(bytes, as: digest) }
        expect(run.read(digest) == bytes, "nothing can be stored")
    }
}
