import Glibc
import Index
import Linux
import OCI
import Reactor
import Synchronization

/// Bringing files and index together again after a crash, in the background (DUR-5).
///
/// A file that the index does not know is hashed and taken in if it is what its name says, else
/// removed; a row whose file is missing is forgotten. Nothing here stands in anybody's way: each
/// shard is one short job, each unknown file is hashed in slices.
extension BlobStore {
    /// How much of an unknown file is hashed per job.
    private static let sliceBytes = Int(BlobWriter.sliceBytes)

    /// Compares every file with the index, once; the daemon runs it after it is ready.
    package func reconcile() async {
        await trim()
        await settlePending()
        try? await announceLeftovers()
        await forgetLostUploads()
        await adoptManifests()
        for algorithm in Digest.Algorithm.allCases {
            for first in UInt8.min...UInt8.max {
                await reconcile(algorithm, first)
            }
        }
        await restoreNames()
        isReconciled.store(true, ordering: .relaxed)
        await trim()
    }

    /// What a crash left between two steps of a commit or of an eviction.
    private func settlePending() async {
        for row in (try? index.pending()) ?? [] {
            if row.isDoomed {
                await settle(row.digest, keeping: nil)
            } else {
                await adopt(row.digest)
            }
        }
    }

    private func reconcile(_ algorithm: Digest.Algorithm, _ first: UInt8) async {
        let shard = StoreLayout.shard(algorithm, first)
        let index = self.index
        let differences = try? await runLong { layout throws(Errno) in
            // Names first: what is published after that is in the index, or its writer at work.
            let names = try layout.names(inShard: shard)
            let known = (try? index.digests(startingWith: first)) ?? []
            return Differences(names, known, algorithm, first)
        }
        guard let differences else { return }
        for name in differences.foreign {
            if let growing = GrowingName(parsing: name, algorithm) {
                await takeInLate(growing)
            } else {
                await removeForeign(name, shard)
            }
        }
        for digest in differences.unknown { await adopt(digest) }
        for digest in differences.missing {
            if let row = try? self.index.blob(digest) { await forget(digest, size: row.size) }
        }
    }

    private func removeForeign(_ name: String, _ shard: String) async {
        let removed: Void? = try? await run { layout throws(Errno) in
            try layout.unlink(name, shard: shard)
        }
        if removed != nil { report(.removedStray(name: name)) }
    }

    /// Takes an unknown file in if its bytes are what its name says, else removes it.
    func adopt(_ digest: Digest) async {
        guard (try? index.blob(digest)) == .some(nil), !files.isWritten(digest) else {
            ledger.settleStray(digest)
            return await settleUnwritten([digest])
        }
        let whole = try? await verified(digest)
        await settle(digest, keeping: whole ?? nil)
    }

    /// A whole unknown file.
    private struct Stray: Sendable {
        let size: Int64
        let disk: Int64
        /// When it was written, as a recency stamp.
        let stamp: Int64
    }

    /// Nil if the file is missing or its bytes are not what its name says.
    private func verified(_ digest: Digest) async throws(StoreError) -> Stray? {
        guard let scan = try await run({ layout throws(Errno) in try Scan(digest, layout) })
        else { return nil }
        ledger.noteStray(digest, disk: scan.stray.disk)
        while try await runLong({ _ throws(Errno) in try scan.advance(Self.sliceBytes) }) {}
        return scan.isWhole ? scan.stray : nil
    }

    /// Records the file, or removes it, unless somebody stored the digest meanwhile.
    private func settle(_ digest: Digest, keeping stray: Stray?) async {
        await gate.enter()
        defer { gate.leave() }
        guard !files.isWritten(digest) else { return }
        do throws(StoreError) {
            if (try? index.blob(digest)) == .some(nil) {
                // An eviction may have been about to unlink it.
                if let stray, try await isThere(digest) {
                    try await record(digest, stray)
                } else {
                    try await removeStray(digest)
                }
            }
            if stray != nil { await dropLeftover(of: digest) }
            await settleUnwritten([digest])
            ledger.settleStray(digest)
        } catch {
            // Stays counted and pending; the next start looks at it again.
            if case .io(let errno) = error { report(.failed(errno)) }
        }
    }

    private func isThere(_ digest: Digest) async throws(StoreError) -> Bool {
        try await run { layout throws(Errno) in
            do throws(Errno) {
                _ = try layout.status(digest)
                return true
            } catch {
                if error.isMissing { return false }
                throw error
            }
        }
    }

    private func record(_ digest: Digest, _ stray: Stray) async throws(StoreError) {
        // First of all: what is linked nowhere would pass for public.
        await recallNames(of: digest)
        let stamp = min(stray.stamp, marks.stamp())
        let added = try await indexed { index throws(IndexError) in
            try await index.record(
                blob: digest, size: stray.size, disk: stray.disk, stamp: stamp)
        }
        // At once: it is one file, and must not count twice while anything is waited for.
        ledger.commit(added)
        ledger.settleStray(digest)
        await recognise(digest, stray.size)
        report(.adopted(digest))
    }

    private func removeStray(_ digest: Digest) async throws(StoreError) {
        let removed = try await run { layout throws(Errno) in
            do throws(Errno) {
                try layout.unlink(digest)
                return true
            } catch {
                if error.isMissing { return false }
                throw error
            }
        }
        if removed { report(.removedStray(name: digest.description)) }
    }

    /// One unknown file being hashed, slice by slice, by one job after another.
    private final class Scan: Sendable {
        private struct State: ~Copyable {
            var hash: StreamingHash
            var offset: Int64 = 0
            var isWhole = false
        }

        private let digest: Digest
        private let file: FileDescriptor
        private let state: Mutex<State>
        let stray: Stray

        /// Nil if there is no such file.
        init?(_ digest: Digest, _ layout: StoreLayout) throws(Errno) {
            do throws(Errno) {
                file = try layout.open(digest)
            } catch {
                if error.isMissing { return nil }
                throw error
            }
            let status = try System.fstat(file.raw)
            stray = Stray(
                size: Int64(status.st_size), disk: Int64(status.st_blocks) * 512,
                stamp: Int64(status.st_mtim.tv_sec) &* 1_000_000)
            self.digest = digest
            state = Mutex(State(hash: StreamingHash(digest.algorithm)))
        }

        var isWhole: Bool { state.withLock { $0.isWhole } }

        /// Hashes up to `count` bytes; false at the end.
        func advance(_ count: Int) throws(Errno) -> Bool {
            try state.withLock { state throws(Errno) in try advance(&state, count) }
        }

        private func advance(_ state: inout State, _ count: Int) throws(Errno) -> Bool {
            let isOver = try state.hash.update(from: file.raw, at: &state.offset, count: count)
            guard isOver else { return true }
            state.isWhole = state.hash.finalize() == digest
            return false
        }
    }
}

/// Where a shard directory and the index disagree.
private struct Differences: Sendable {
    /// Files whose names are no digests of this shard.
    var foreign: [String] = []
    /// Files that the index does not know.
    var unknown: [Digest] = []
    /// Rows without a file.
    var missing: [Digest] = []

    init(
        _ names: [String], _ known: [Digest], _ algorithm: Digest.Algorithm, _ first: UInt8
    ) {
        var rest = Set(known.filter { $0.algorithm == algorithm })
        for name in names {
            guard let digest = Digest(parsing: "\(algorithm.name):\(name)"),
                digest.withBytes({ $0[0] == first })
            else {
                foreign.append(name)
                continue
            }
            if rest.remove(digest) == nil { unknown.append(digest) }
        }
        missing = rest.sorted()
    }
}
