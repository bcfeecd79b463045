import Glibc
import Index
import Linux
package import OCI
import Reactor
import Synchronization

/// What is done with bytes that are all there: compared, made lasting, told the index (DUR-1).
extension BlobWriter {
    /// Compares size and digest; lets readers have the end.
    func verify() async throws(StoreError) -> Int64 {
        let outcome = await store.workers.run {
            self.state.withLock { state in
                (
                    size: state.written, total: state.total, digest: state.hash.finalize(),
                    expected: state.expected.last
                )
            }
        }
        if let expected = outcome.expected {
            throw StoreError.wrongSize(expected: expected.count, actual: outcome.size)
        }
        if let total = outcome.total, total != outcome.size {
            throw StoreError.wrongSize(expected: total, actual: outcome.size)
        }
        guard outcome.digest == digest else {
            throw StoreError.mismatch(expected: digest, actual: outcome.digest)
        }
        file.complete()
        return outcome.size
    }

    /// Makes the file lasting, under its own name unless there is one already.
    func commit(_ size: Int64) async throws(StoreError) {
        let (digest, file) = (digest, file)
        let disk = try await store.runLong { _ throws(Errno) in
            try System.fdatasync(file.fd)
            return Int64(try System.fstat(file.fd).st_blocks) * 512
        }
        let published = try await publish()
        store.ledger.setDirectories(store.layout.directoryBytes)
        if let published {
            try await record(size, disk)
            // Verified once more when it is served next: the clock of change times is too coarse
            // to show a change right after the rename, so nobody could vouch for it (INT-9).
            file.identify(as: published)
            store.files.retire(file, digest)
        } else {
            store.marks.mark(digest)
        }
    }

    /// Nil if the digest was stored meanwhile; then this file is dropped for the one that is.
    private func publish() async throws(StoreError) -> FileIdentity? {
        let (digest, name) = (digest, name)
        let row = try await store.indexed { index throws(IndexError) in try index.blob(digest) }
        // What is there is not believed (INT-9): if it is damaged, this takes its place.
        if row != nil { _ = await store.open(digest) }
        file.publish()
        return try await store.runLong { layout throws(Errno) in
            if let moved = try layout.publish(name, known: row?.size) { return moved }
            try layout.unlinkGrowing(name)
            return nil
        }
    }

    private func record(_ size: Int64, _ disk: Int64) async throws(StoreError) {
        let (digest, stamp) = (digest, store.marks.stamp())
        do throws(StoreError) {
            let added = try await store.indexed { index throws(IndexError) in
                try await index.record(blob: digest, size: size, disk: disk, stamp: stamp) {
                    let isAlone =
                        self.store.files.isWrittenOnce(digest)
                        && self.store.leftovers[digest] == nil
                    self.state.withLock { $0.isSettled = isAlone }
                    return isAlone
                }
            }
            store.ledger.commit(added)
            store.ledger.settleStray(digest)
            state.withLock { $0.isPublished = true }
        } catch {
            // Published but unknown: not kept. If this fails too it is still listed as pending.
            if (try? store.index.blob(digest)) == .some(nil) {
                await remove { layout throws(Errno) in try layout.unlink(digest) }
            }
            throw error
        }
    }
}

extension BlobStore {
    /// Stores bytes that are all in memory, a manifest, through the same door.
    package func put(_ bytes: [UInt8], as digest: Digest) async throws(StoreError) {
        if await open(digest) != nil { return }
        let writer = try await writer(for: digest, size: Int64(bytes.count))
        do throws(StoreError) {
            if !bytes.isEmpty { try await writer.append(Chunk(bytes)) }
        } catch {
            await writer.abandon()
            throw error
        }
        _ = try await writer.finish()
    }
}
