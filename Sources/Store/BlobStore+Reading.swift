import Glibc
package import Index
import Linux
package import OCI
package import Reactor
import Synchronization

/// Finding complete files, and remembering that they were used.
extension BlobStore {
    /// The open file of `digest` if it is open already, verified or being verified.
    ///
    /// Costs a dictionary look-up; any thread. Who holds a file protects its whole image from
    /// eviction: hold it while it is being sent, not longer.
    package func hot(_ digest: Digest) -> GrowingFile? {
        files.file(digest)
    }

    /// The complete file of `digest`, verified and not changed since (INT-9), marked as used; nil
    /// if it is not stored or giving it takes any waiting, for `find` to do.
    ///
    /// Costs an fstat, and opening the file if it is not open; for loops.
    package func ready(_ digest: Digest) -> GrowingFile? {
        if let (place, file) = files.open(digest) {
            guard file.progress.phase == .complete, file.isUnchanged else { return nil }
            marks.mark(place.lastUse)
            return file
        }
        let epoch = files.epoch
        guard let descriptor = try? layout.openCached(digest),
            let status = try? System.fstat(descriptor.raw), status.st_mode & S_IFMT == S_IFREG
        else { return nil }
        let identity = FileIdentity(status)
        guard verified.contains(digest, identity) else { return nil }
        let opened = GrowingFile(complete: descriptor, identity: identity)
        guard let (place, file) = files.insert(opened, as: digest, since: epoch),
            file.progress.phase == .complete
        else { return nil }
        marks.mark(place.lastUse)
        return file
    }

    /// The verified file of `digest`, or nil if it is not stored.
    ///
    /// Waits until a file that was not verified in this run is; for what is small or has no
    /// readers.
    package func open(_ digest: Digest) async -> GrowingFile? {
        for _ in 0..<Self.looksMax {
            guard let found = await find(digest) else { return nil }
            await found.verification?.run()
            if await found.file.progress(beyond: .max).phase == .complete { return found.file }
        }
        return nil
    }

    /// The stored file of `digest`, or nil if it is not stored.
    ///
    /// What was not verified in this run, or has changed since, is being verified while it is
    /// served (INT-9): the first to find it so is given the verification to run. A file that the
    /// index knows but that is missing, of another size or unreadable is forgotten, and nil too, so
    /// that it is fetched again (INT-10).
    package func find(_ digest: Digest) async -> StoredFile? {
        for _ in 0..<Self.looksMax {
            if let file = hot(digest) {
                if await isTrusted(file, digest) { return StoredFile(file: file) }
                continue
            }
            let epoch = files.epoch
            guard let row = try? index.blob(digest) else {
                if await adoptInTurn(digest) { continue }
                return nil
            }
            do throws(StoreError) {
                switch try await openFile(digest, row.size) {
                case .failure(let damage):
                    await forget(digest, size: row.size, damage)
                    return nil
                case .success(let file):
                    // An eviction since then: look again, it may have been this one.
                    guard let kept = files.insert(file, as: digest, since: epoch)?.file else {
                        continue
                    }
                    guard kept === file, file.progress.phase == .growing else {
                        return StoredFile(file: kept)
                    }
                    return StoredFile(
                        file: file,
                        verification: Verification(self, digest, file, size: row.size))
                }
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

    /// Whether an open file may be handed out; else it is not open any more.
    private func isTrusted(_ file: GrowingFile, _ digest: Digest) async -> Bool {
        switch file.progress.phase {
        case .growing: return true
        case .complete:
            if file.isUnchanged { return true }
            files.drop(digest, file)
        case .failed:
            // Whoever failed it is about to remove it; until then nobody may fetch it again.
            await dispose(file, of: digest, .content)
        }
        return false
    }

    private func openFile(
        _ digest: Digest, _ size: Int64
    ) async throws(StoreError) -> Result<GrowingFile, Damage> {
        // The usual case first: directory entry and inode in memory, no worker needed.
        if let descriptor = try? layout.openCached(digest) {
            return growingFile(descriptor, digest, size)
        }
        return try await run { [self] layout throws(Errno) in
            do throws(Errno) {
                return growingFile(try layout.open(digest), digest, size)
            } catch {
                if error.isMissing { return .failure(.missing) }
                if error.isShortage { throw error }
                return .failure(.unreadable)
            }
        }
    }

    private func growingFile(
        _ descriptor: consuming FileDescriptor, _ digest: Digest, _ size: Int64
    ) -> Result<GrowingFile, Damage> {
        guard let status = try? System.fstat(descriptor.raw), status.st_mode & S_IFMT == S_IFREG
        else { return .failure(.unreadable) }
        let identity = FileIdentity(status)
        guard identity.size == size else { return .failure(.size) }
        guard verified.contains(digest, identity) else {
            return .success(GrowingFile(growing: descriptor, total: size))
        }
        return .success(GrowingFile(complete: descriptor, identity: identity))
    }

    // MARK: - Damage

    /// Removes an object whose bytes turned out not to be those of its digest (INT-9), so that the
    /// next pull fetches it again.
    package func discard(_ digest: Digest) async {
        guard let row = try? index.blob(digest) else { return }
        await forget(digest, size: row.size, .content)
    }

    /// Has an open file that could not be sent verified again before anybody is given it, also if
    /// it looks the same: its disk may not give all of it any more (INT-9).
    package func distrust(_ file: GrowingFile, of digest: Digest) {
        if let identity = file.identity { verified.remove(digest, identity) }
        files.drop(digest, file)
    }

    /// Removes an open file whose bytes are wrong, unless that was done already.
    func dispose(_ file: GrowingFile, of digest: Digest, _ damage: Damage) async {
        await gate.enter()
        defer { gate.leave() }
        guard files.file(digest) === file else { return }
        guard let status = try? System.fstat(file.fd) else { return files.drop(digest, file) }
        await remove(FileIdentity(status), digest, damage)
    }

    /// Removes a file that was found damaged while nobody was sent it.
    func dispose(_ identity: FileIdentity, of digest: Digest, _ damage: Damage) async {
        await gate.enter()
        defer { gate.leave() }
        await remove(identity, digest, damage)
    }

    /// Removes the file that was found wrong, and its row unless that is another one's by now.
    private func remove(_ bad: FileIdentity, _ digest: Digest, _ damage: Damage) async {
        defer { files.drop(digest) }
        do throws(StoreError) {
            let isThere = try await run { layout throws(Errno) in
                guard let status = try? layout.status(digest) else { return false }
                if !FileIdentity(status).isSameFile(as: bad) { return true }
                try layout.clear(digest)
                return false
            }
            // With another file in its place, or one about to be, the row is that one's.
            if !isThere, !files.isWritten(digest) { try await forgetRow(digest) }
            report(.damaged(digest, damage))
        } catch {
            if case .io(let error) = error { report(.failed(error)) }
        }
    }

    /// Forgets an object whose file is not what was stored, unless that has changed since.
    func forget(_ digest: Digest, size: Int64, _ damage: Damage = .missing) async {
        await gate.enter()
        defer { gate.leave() }
        guard !files.isWritten(digest), let row = try? index.blob(digest), row.size == size
        else { return }
        do throws(StoreError) {
            let isWhole = try await run { layout throws(Errno) in
                if damage == .missing || damage == .size, let found = try? layout.status(digest),
                    found.st_mode & S_IFMT == S_IFREG, Int64(found.st_size) == size
                {
                    return true
                }
                try layout.clear(digest)
                return false
            }
            if isWhole { return }
            try await forgetRow(digest)
            files.drop(digest)
            report(.damaged(digest, damage))
        } catch {
            if case .io(let error) = error { report(.failed(error)) }
        }
    }

    private func forgetRow(_ digest: Digest) async throws(StoreError) {
        guard let row = try? index.blob(digest) else { return }
        try await indexed { index throws(IndexError) in try await index.forget(digest) }
        if let open = files.file(digest), open.readers > 0 {
            // Unlinked, but its space is taken until the last reader has left.
            open.hold(ledger.hold(row.disk))
        }
        ledger.commit(-row.disk)
    }

    /// Remembers that `digest` was used; memory only.
    ///
    /// A manifest stands for its whole image.
    package func markUsed(_ digest: Digest) {
        marks.mark(digest)
    }

    /// What is to be done every few seconds: removes what dropped writers left, and writes uses to
    /// the index if they are due.
    package func tidy() async {
        if marks.isFlushDue { return await flushRecency() }
        await removeLeavings()
    }

    /// Writes remembered uses to the index, in batches, and removes what dropped writers left.
    ///
    /// Called before an eviction and at the end too, so that memory and index are one order.
    package func flushRecency() async {
        let marks = self.marks.take()
        var start = 0
        while start < marks.count {
            let end = min(start + Self.marksPerTransaction, marks.count)
            // Lost recency is no lost data: the next flush goes on.
            try? await index.touch(Array(marks[start..<end]))
            start = end
        }
        await removeLeavings()
    }

    private func removeLeavings() async {
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
    package func indexed<T: Sendable>(
        _ body: (ContentIndex) async throws(IndexError) -> T
    ) async throws(StoreError) -> T {
        do throws(IndexError) {
            return try await body(index)
        } catch {
            throw StoreError(error)
        }
    }
}

/// A file of the store as it is handed out.
package struct StoredFile: Sendable {
    /// Complete, or growing while it is verified.
    package let file: GrowingFile
    /// For the first who finds it unverified, to run once; its readers wait for that.
    package var verification: Verification?
}

extension Errno {
    /// Whether the process or the system lacks something, which says nothing about the file.
    var isShortage: Bool {
        [EMFILE, ENFILE, ENOMEM, EAGAIN, EINTR].contains(code)
    }
}
