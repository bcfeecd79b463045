import Glibc
import Index
import Linux
package import OCI
import Reactor
import Synchronization

/// Beginning uploads, finding them again, and dropping those that nobody comes back to.
extension BlobStore {
    /// Begins an upload of `user` to `name` of the repository with that key.
    ///
    /// `.full` without room for its first bytes, `.tooManyUploads` when many are under way.
    package func beginUpload(
        repository: String, name: RepositoryName, user: String, _ algorithm: Digest.Algorithm
    ) async throws(StoreError) -> Upload {
        guard uploads.count < Uploads.countMax else { throw .tooManyUploads }
        guard let bytes = SpaceLedger.charge(for: 0) else { throw .full }
        let id = UploadID()
        let row = UploadRow(
            id: id.bytes, repository: repository, name: name.text, user: user,
            algorithm: algorithm, startedAt: clock.wallSeconds)
        let reservation = try await reserve(bytes)
        try await indexed { index throws(IndexError) in try await index.begin(row) }
        let file = try await run { layout throws(Errno) in
            GrowingFile(growing: try layout.createUpload(id), total: nil)
        }
        let upload = Upload(
            id, row, self, file, reservation,
            HashState(count: 0, StreamingHash(algorithm)))
        uploads.insert(.open(upload, usedAt: clock.wallSeconds), as: id)
        return upload
    }

    /// The upload of that name; nil if there is none.
    ///
    /// One of an earlier run is read and hashed first.
    package func upload(_ id: UploadID) async throws(StoreError) -> Upload? {
        uploads.use(id, at: clock.wallSeconds)
        switch uploads[id] {
        case nil: return nil
        case .open(let upload, _): return upload
        case .waiting(let reservation, _):
            let row = try await indexed { index throws(IndexError) in try index.upload(id.bytes) }
            guard let row else { return nil }
            let file = try await run { layout throws(Errno) in
                GrowingFile(growing: try layout.openUpload(id), total: nil)
            }
            let hash = try await hash(file, row.algorithm)
            let upload = Upload(id, row, self, file, reservation, hash)
            return uploads.opened(upload, at: clock.wallSeconds)
        }
    }

    /// Ends uploads that nobody has come back to for so long; the keys of their repositories.
    package func sweepUploads(idleFor idle: Duration) async -> [String] {
        var swept: [String] = []
        let time = clock.wallSeconds - idle.components.seconds
        for id in uploads.idle(since: time) {
            // Ending one takes a while: somebody may have come back to the next in the meantime.
            guard let entry = uploads.takeOut(id, idleSince: time) else { continue }
            if case .open(let upload, _) = entry {
                await upload.cancel()
                swept.append(upload.row.repository)
                continue
            }
            if let row = try? index.upload(id.bytes) { swept.append(row.repository) }
            try? await run { layout throws(Errno) in try layout.unlinkUpload(id) }
            try? await index.endUpload(id.bytes)
        }
        return swept
    }

    /// Counts what uploads of an earlier run take, and removes what belongs to none; gives how many
    /// files that were.
    ///
    /// Blocks, for the start only.
    func takeInUploads() throws(Errno) -> Int {
        var known = Set(((try? index.uploads()) ?? []).compactMap { UploadID(bytes: $0) })
        var swept = 0
        for found in try layout.uploadFiles() {
            if let id = UploadID(parsing: found.name), known.remove(id) != nil {
                uploads.insert(
                    .waiting(ledger.hold(found.disk), usedAt: found.writtenAt), as: id)
            } else {
                try layout.unlinkUpload(named: found.name)
                swept += 1
            }
        }
        lostUploads.withLock { $0 = Array(known) }
        return swept
    }

    /// Forgets uploads whose files are gone.
    func forgetLostUploads() async {
        let lost = lostUploads.withLock { lost in
            defer { lost = [] }
            return lost
        }
        for id in lost { try? await index.endUpload(id.bytes) }
    }

    /// Hashes a whole file on the workers, slice by slice.
    func hash(
        _ file: GrowingFile, _ algorithm: Digest.Algorithm
    ) async throws(StoreError) -> HashState {
        let scan = FileScan(file, algorithm)
        while try await runLong({ _ throws(Errno) in try scan.advance() }) {}
        return scan.state
    }

    /// Takes a received file over as a growing one of `digest`, for its commit.
    func writer(
        taking id: UploadID, as digest: Digest, _ file: GrowingFile, _ reservation: Reservation,
        _ hash: HashState
    ) async throws(StoreError) -> BlobWriter {
        // An eviction that has given up a file of this digest is yet to unlink it.
        await gate.enter()
        files.addWriter(digest)
        gate.leave()
        do throws(StoreError) {
            // Before the rename: whatever happens to this process, the next one finds it (DUR-5).
            try await indexed { index throws(IndexError) in
                try await index.announce(digest, disk: reservation.bytes)
            }
            let name = try await run { [self] layout throws(Errno) in
                try rename(id, digest, layout)
            }
            file.extend(to: hash.count)
            return BlobWriter(self, name, file, reservation, hash)
        } catch {
            files.removeWriter(digest)
            await settleUnwritten([digest])
            throw error
        }
    }

    private func rename(
        _ id: UploadID, _ digest: Digest, _ layout: StoreLayout
    ) throws(Errno) -> GrowingName {
        while true {
            let name = GrowingName(digest, layout.nextNumber())
            files.addGrowing(name)
            do throws(Errno) {
                try layout.rename(id, to: name)
                return name
            } catch {
                files.removeGrowing(name)
                // A leftover has that name.
                if error.code != EEXIST { throw error }
            }
        }
    }
}
