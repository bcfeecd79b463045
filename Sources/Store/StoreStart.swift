import Glibc
import Index
import Linux
import OCI
import Reactor

/// What is found out while the store opens.
struct StoreStart {
    let index: ContentIndex
    let maxSize: Int64
    let minFree: Int64
    let newestUse: Int64

    init(
        _ layout: StoreLayout, _ limits: StoreLimits, _ indexThread: WorkerPool,
        _ clock: LoopClock
    ) throws(StoreError) {
        do throws(Errno) {
            let total = try layout.fileSystem().total
            maxSize = limits.maxSize.resolved(of: total)
            minFree = limits.minFreeBytes(of: total)
        } catch {
            throw StoreError(error)
        }
        do throws(IndexError) {
            // A thirty-second of the store for the log and the largest transaction.
            index = try ContentIndex.open(
                directory: layout.path, thread: indexThread, clock: clock,
                allowance: maxSize / 32)
            newestUse = try index.newestUse()
        } catch {
            throw StoreError(error)
        }
    }
}

extension BlobStore {
    /// Counts what is on disk before anybody may reserve, and sweeps what a crash left.
    func takeStock(_ start: StoreStart) throws(StoreError) {
        if layout.permissionsFixed { report(.permissionsFixed) }
        if let name = start.index.setAside { report(.indexSetAside(name: name)) }
        do throws(Errno) {
            ledger.commit(index.totals.disk)
            let swept =
                try layout.removeFormerPartial() + sweep(all: start.index.isNew) + takeInUploads()
            if swept > 0 { report(.sweptPartial(files: swept)) }
            let kept = leftovers.all
            if !kept.isEmpty {
                report(
                    .keptPartial(files: kept.count, bytes: kept.reduce(0) { $0 + $1.size }))
            }
            ledger.setOthers(try layout.measureAll())
            ledger.setDirectories(layout.directoryBytes)
            ledger.noteFileSystem(available: try layout.fileSystem().available, at: clock.now)
        } catch {
            throw StoreError(error)
        }
    }

    /// Counts files that the index does not know, growing ones among them, and removes those of the
    /// latter that are of no use; gives how many these were.
    ///
    /// Looks where a crash may have left some, or everywhere when the index is a new one. What a
    /// power cut took from the index with its last rows is found by `reconcile()`.
    private func sweep(all: Bool) throws(Errno) -> Int {
        if all {
            var swept = 0
            for algorithm in Digest.Algorithm.allCases {
                for first in UInt8.min...UInt8.max { swept += try sweep(algorithm, first) }
            }
            return swept
        }
        var shards: Set<String> = []
        var swept = 0
        for digest in ((try? index.pending()) ?? []).map(\.digest)
        where shards.insert(StoreLayout.shard(digest)).inserted {
            swept += try sweep(digest.algorithm, digest.withBytes { $0[0] })
        }
        return swept
    }

    private func sweep(_ algorithm: Digest.Algorithm, _ first: UInt8) throws(Errno) -> Int {
        var swept = 0
        for name in try layout.names(inShard: StoreLayout.shard(algorithm, first)) {
            if let growing = GrowingName(parsing: name, algorithm) {
                let known = leftovers[growing.digest] != nil
                if try !takeIn(growing) || known { swept += 1 }
            } else if let digest = Digest(parsing: "\(algorithm.name):\(name)"),
                (try? index.blob(digest)) == .some(nil), let status = try? layout.status(digest)
            {
                ledger.noteStray(digest, disk: Int64(status.st_blocks) * 512)
            }
        }
        return swept
    }
}
