import CSimulation
import Index
import OCI
import Reactor
import Store
import TestSupport

/// What must hold at every step, and what at the end of a run.
extension Simulation {
    /// Bytes on disk are never more than the ledger says, and that is never over the limit.
    func checkSpace(_ when: String) {
        let used = daemon.store.statistics.usedBytes
        let onDisk = csimulation_disk_usage(root)
        trace.add("\(when): \(onDisk) of \(used)")
        if onDisk > used { violations.append("\(when): \(onDisk) on disk, \(used) in the ledger") }
        if used > maxSize { violations.append("\(when): \(used) of \(maxSize) used") }
        checkTransfers(when)
        noteKept()
    }

    var maxSize: Int64 {
        if case .bytes(let bytes) = limits.maxSize { bytes } else { 0 }
    }

    /// Where everything fits, a cold blob is one transfer, however many ask (UP-1).
    private func checkTransfers(_ when: String) {
        guard profile.isRoomy, profile.diskFaultShare == 0 else { return }
        for upstream in daemon.upstreams where upstream.transfersMost > 1 {
            violations.append("\(when): \(upstream.transfersMost) transfers of one blob at once")
        }
    }

    /// With nothing being written, all that was delivered is stored.
    private func noteKept() {
        guard profile.isRoomy, profile.diskFaultShare == 0,
            daemon.store.ledger.snapshot.reserved == 0,
            run(turnsMax: 1) == 0
        else { return }
        for key in delivered where kept[key] == nil { kept[key] = clock.now }
        delivered = []
    }

    /// With nothing going on, the ledger is what is on disk, to the byte, and all of it is right.
    func settleAndCheck() {
        let pause = clock.now + .seconds(30)
        _ = settle(within: .seconds(30)) { clock.now >= pause }
        checkSpace("at the end")
        let space = daemon.store.ledger.snapshot
        if space.reserved != 0 { violations.append("\(space.reserved) bytes stay reserved") }
        var (complete, rest): (Int64, Int64) = (0, 0)
        for entry in Files.walk(root) where !isIndex(entry.path) {
            if entry.isDirectory || !entry.path.contains("/blobs/") || isLeftover(entry.path) {
                rest += entry.diskBytes
            } else {
                complete += entry.diskBytes
                checkFile(entry.path)
            }
        }
        // A file that was cut off is counted as it was until somebody asks for it (INT-10).
        if complete != space.committed, rotten.isEmpty || complete > space.committed {
            violations.append("\(complete) bytes of blobs on disk, \(space.committed) committed")
        }
        let others = space.used - space.committed - daemon.store.index.footprint
        if rest != others {
            violations.append("\(rest) bytes beside blobs on disk, \(others) in the ledger")
        }
    }

    /// Whether the file is the index's own; one that was set aside is not.
    private func isIndex(_ path: String) -> Bool {
        ["/index.db", "/index.db-wal", "/index.db-shm", "/names.log"].contains(
            where: path.hasSuffix)
    }

    /// Whether the file is what a fetch of an earlier daemon left, for the next to go on with.
    private func isLeftover(_ path: String) -> Bool {
        let name = path.split(separator: "/").last ?? ""
        let parts = name.split(separator: ".")
        return roots.count + restarts > 1 && parts.count == 2 && Int(parts[1]) != nil
    }

    /// Nothing is kept that is not what its name says.
    private func checkFile(_ path: String) {
        let parts = path.split(separator: "/")
        guard parts.count > 2, let bytes = try? Files.read(path),
            let digest = Digest(parsing: "\(parts[parts.count - 3]):\(parts[parts.count - 1])")
        else { return violations.append("a foreign file: \(path)") }
        // Damage that nobody has come across is nobody's fault.
        if StreamingHash.digest(of: bytes, digest.algorithm) != digest, !rotten.contains(digest) {
            violations.append("WRONG BYTES KEPT: \(path)")
        }
    }

    /// The last daemon stops; nothing of it or of those before may stay in memory, since whoever
    /// still holds it waits for ever.
    func close() throws {
        let isDown = daemon.stop(within: .seconds(1))
        if !settle(within: .seconds(60), until: { isDown.isSet }) {
            violations.append("the last daemon does not stop")
        }
    }

    /// Lets all daemons of the run come to their end, and gives their stores.
    func bury() -> [WeakStore] {
        let all = ghosts + [daemon]
        for ghost in all where !ghost.bury() { violations.append("a ghost does not end") }
        ghosts = []
        return all.map { WeakStore(value: $0.store) }
    }
}

/// A store that should be gone.
struct WeakStore {
    weak var value: BlobStore?
}
