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
            let swept = try layout.sweepPartial()
            if swept > 0 { report(.sweptPartial(files: swept)) }
            ledger.setOthers(try layout.measureAll())
            ledger.setDirectories(layout.directoryBytes)
            ledger.commit(index.totals.disk)
            try noteStrays(all: start.index.setAside != nil)
            ledger.noteFileSystem(available: try layout.fileSystem().available, at: clock.now)
        } catch {
            throw StoreError(error)
        }
    }

    /// Counts files that the index does not know: those a crash may have left between two steps,
    /// or every file when the index is a new one.
    private func noteStrays(all: Bool) throws(Errno) {
        for row in (try? index.pending()) ?? [] {
            // Not there: it was never renamed, or is unlinked already.
            guard let status = try? layout.status(row.digest),
                (try? index.blob(row.digest)) == .some(nil)
            else { continue }
            ledger.noteStray(row.digest, disk: Int64(status.st_blocks) * 512)
        }
        guard all else { return }
        for algorithm in Digest.Algorithm.allCases {
            for first in UInt8.min...UInt8.max {
                let shard = StoreLayout.shard(algorithm, first)
                for name in try layout.names(inShard: shard) {
                    guard let digest = Digest(parsing: "\(algorithm.name):\(name)"),
                        let status = try? layout.status(digest)
                    else { continue }
                    ledger.noteStray(digest, disk: Int64(status.st_blocks) * 512)
                }
            }
        }
    }
}
