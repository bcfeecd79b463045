import Glibc
import Index
import Linux
package import OCI
package import Reactor
import Synchronization

/// Finding complete files, and remembering that they were used.
extension BlobStore {
    /// The open file of `digest` if it is open already.
    ///
    /// Costs a dictionary look-up; any thread. Who holds a file protects its whole image from
    /// eviction: hold it while it is being sent, not longer.
    package func hot(_ digest: Digest) -> GrowingFile? {
        files.file(digest)
    }

    /// The complete file of `digest`, or nil if it is not stored.
    ///
    /// A file that the index knows but that is missing or of another size is forgotten, and nil
    /// too, so that it is fetched again (INT-10).
    package func open(_ digest: Digest) async -> GrowingFile? {
        for _ in 0..<Self.looksMax {
            if let file = hot(digest) { return file }
            let epoch = files.epoch
            guard let row = try? index.blob(digest) else { return nil }
            do throws(StoreError) {
                let file = try await openFile(digest, row.size)
                guard let file else {
                    await forget(digest, size: row.size)
                    return nil
                }
                // An eviction since then: look again, it may have been this one.
                if let kept = files.insert(file, as: digest, since: epoch) { return kept }
            } catch {
                if case .io(let error) = error { report(.failed(error)) }
                return nil
            }
        }
        return nil
    }

    /// How often a file is looked for while evictions of others go on: what is stored must not
    /// count as missing because of them.
    private static let looksMax = 32

    /// Nil if the file is missing or of another size.
    private func openFile(
        _ digest: Digest, _ size: Int64
    ) async throws(StoreError) -> GrowingFile? {
        // The usual case first: directory entry and inode in memory, no worker needed.
        if let descriptor = try? layout.openCached(digest) {
            return Self.growingFile(descriptor, size)
        }
        return try await run { layout throws(Errno) in
            do throws(Errno) {
                return Self.growingFile(try layout.open(digest), size)
            } catch {
                if error.code == ENOENT { return nil }
                throw error
            }
        }
    }

    private static func growingFile(
        _ descriptor: consuming FileDescriptor, _ size: Int64
    ) -> GrowingFile? {
        guard let status = try? System.fstat(descriptor.raw), Int64(status.st_size) == size
        else { return nil }
        return GrowingFile(complete: descriptor, size: size)
    }

    /// Removes an object whose bytes turned out not to be those of its digest (INT-9), so that the
    /// next pull fetches it again.
    package func discard(_ digest: Digest) async {
        guard let row = try? index.blob(digest) else { return }
        await forget(digest, size: row.size, keepsWhole: false)
    }

    /// Forgets an object whose file is missing or of another size, unless that has changed since.
    func forget(_ digest: Digest, size: Int64, keepsWhole: Bool = true) async {
        await gate.enter()
        defer { gate.leave() }
        guard !files.isWritten(digest), let row = try? index.blob(digest), row.size == size
        else { return }
        do throws(StoreError) {
            let found = try await run { layout throws(Errno) in
                try Self.removeUnlessWhole(digest, keepsWhole ? size : -1, layout)
            }
            if found { return }
            try await indexed { index throws(IndexError) in try await index.forget(digest) }
            files.drop(digest)
            ledger.commit(-row.disk)
            report(.lost(digest))
        } catch {
            if case .io(let error) = error { report(.failed(error)) }
        }
    }

    /// True if the file is whole; else it is gone afterwards.
    private static func removeUnlessWhole(
        _ digest: Digest, _ size: Int64, _ layout: StoreLayout
    ) throws(Errno) -> Bool {
        do throws(Errno) {
            if Int64(try layout.status(digest).st_size) == size { return true }
            try layout.unlink(digest)
        } catch {
            if error.code != ENOENT { throw error }
        }
        return false
    }

    /// Remembers that `digest` was used; memory only.
    ///
    /// A manifest stands for its whole image.
    package func markUsed(_ digest: Digest) {
        marks.mark(digest)
    }

    /// Writes remembered uses to the index, in batches.
    ///
    /// Called every few seconds, before an eviction and at the end. Also removes what dropped
    /// writers left.
    package func flushRecency() async {
        let marks = self.marks.take()
        var start = 0
        while start < marks.count {
            let end = min(start + Self.marksPerTransaction, marks.count)
            // Lost recency is no lost data: the next flush goes on.
            try? await index.touch(Array(marks[start..<end]))
            start = end
        }
        await removeLitter()
        await expireLeftovers()
    }

    /// Bounds the pages that one transaction writes, see `IndexFiles`.
    private static let marksPerTransaction = 128

    /// Unlinks what dropped writers left and gives its space back.
    func removeLitter() async {
        let litter = self.litter.withLock { litter in
            defer { litter.removeAll() }
            return litter
        }
        guard !litter.isEmpty else { return }
        let isRemoved: [Bool]? = try? await run { layout throws(Errno) in
            litter.map { (try? layout.unlinkGrowing($0.name)) != nil }
        }
        var settled: [Digest] = []
        for (piece, isRemoved) in zip(litter, isRemoved ?? []) {
            let digest = piece.name.digest
            if isRemoved {
                settled.append(digest)
            } else {
                ledger.noteStray(digest, disk: piece.reservation.bytes)
            }
            ledger.noteUnlinked(piece.reservation.written)
            piece.reservation.release()
            files.removeGrowing(piece.name)
            files.removeWriter(digest)
        }
        await settleUnwritten(settled)
    }

    /// Runs index work, translating its errors.
    func indexed<T: Sendable>(
        _ body: (ContentIndex) async throws(IndexError) -> T
    ) async throws(StoreError) -> T {
        do throws(IndexError) {
            return try await body(index)
        } catch {
            throw StoreError(error)
        }
    }
}
