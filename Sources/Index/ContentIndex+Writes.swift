package import OCI
import Synchronization

/// Changes: each is one transaction on the index thread.
extension ContentIndex {
    // MARK: - Blobs

    /// Says that there is about to be a file of `digest` that no row tells of, so that a crash
    /// leaves a trace.
    package func announce(_ digest: Digest, disk: Int64) async throws(IndexError) {
        try await write { connection throws(IndexError) in
            try connection.insertPending(digest, disk: disk, doomed: false)
        }
    }

    /// Takes the published file of `digest` into the index; gives the disk that is counted now and
    /// was not before.
    ///
    /// `isAlone` is asked on the index thread whether there is no other file of the digest.
    package func record(
        blob digest: Digest, size: Int64, disk: Int64, stamp: Int64,
        isAlone: @escaping @Sendable () -> Bool = { true }
    ) async throws(IndexError) -> Int64 {
        let delta = try await write { connection throws(IndexError) -> BlobRowDelta in
            let old = try connection.blobState(digest)
            let row = try connection.statement(.insertBlob)
            row.bind(1, digest)
            row.bind(2, size)
            row.bind(3, disk)
            row.bind(4, stamp)
            try row.run()
            if isAlone() { try connection.run(.deletePending, digest) }
            try connection.use(UseMark(digest: digest, stamp: stamp))
            return BlobRowDelta(old: old, size: size, disk: disk)
        }
        totalsState.withLock { delta.apply(to: &$0) }
        return disk - (delta.old?.disk ?? 0)
    }

    /// Forgets a file that is missing or damaged (INT-10).
    ///
    /// Names that point to it stay, so that it can be fetched again; what it named becomes its own
    /// root, as recently used as it was.
    package func forget(_ digest: Digest) async throws(IndexError) {
        let gone = try await write { connection throws(IndexError) -> StoredObject? in
            guard let state = try connection.blobState(digest) else { return nil }
            let stamp = try connection.lastUse(ofImageWith: digest)
            let children = try connection.storedChildren(of: digest)
            try connection.run(.deleteChildren, digest)
            try connection.run(.deleteManifest, digest)
            try connection.run(.deleteBlob, digest)
            for child in children where child.disk != nil {
                try connection.makeRoot(child.digest, stamp)
            }
            return state
        }
        if let gone { totalsState.withLock { $0.remove(gone) } }
    }

    /// Says that these files are unlinked, or were never there.
    ///
    /// Not those for which `isSettled`, asked on the index thread, is false.
    package func settle(
        _ digests: [Digest], isSettled: @escaping @Sendable (Digest) -> Bool = { _ in true }
    ) async throws(IndexError) {
        try await write { connection throws(IndexError) in
            for digest in digests where isSettled(digest) {
                try connection.run(.deletePending, digest)
            }
        }
    }

    /// Records uses in the order given.
    ///
    /// A use counts for the most recently used image that holds the object: that keeps the object,
    /// and pulling a shared base layer does not make every other image look used. Stamps are wall
    /// microseconds that never run backwards (`max(now, newestUse() + 1)`), so that a clock that
    /// jumps does not reorder images (OPS-4).
    package func touch(_ marks: [UseMark]) async throws(IndexError) {
        guard !marks.isEmpty else { return }
        try await write { connection throws(IndexError) in
            for mark in marks { try connection.use(mark) }
        }
    }

    // MARK: - Manifests and names

    /// Records a manifest whose file is stored, with its children, and links it.
    ///
    /// Its children are linked one by one, as the upstream shows them: whoever publishes a manifest
    /// may name in it what he may not read (AUTH-1).
    /// False, and nothing done, if its file is not stored (any more).
    package func record(
        manifest: ManifestRecord, repository: String, name: RepositoryName
    ) async throws(IndexError) -> Bool {
        guard manifest.children.count <= Self.childrenMax else {
            throw IndexError.tooManyChildren(manifest.children.count)
        }
        let journal = self.journal
        let outcome = try await write { connection throws(IndexError) -> RecordOutcome in
            guard let state = try connection.blobState(manifest.digest) else { return .absent }
            journal.append([
                .manifest(manifest.digest, mediaType: manifest.mediaType),
                .link(repository: repository, name: name.text, [manifest.digest]),
            ])
            let id = try connection.repository(repository, name)
            try connection.link(manifest.digest, id)
            if state.isManifest { return .known }
            try connection.insert(manifest)
            return .added
        }
        if outcome == .added { totalsState.withLock { $0.manifests += 1 } }
        return outcome != .absent
    }

    /// Lets `repository` show `digests` under `name`.
    package func link(
        repository: String, name: RepositoryName, _ digests: [Digest]
    ) async throws(IndexError) {
        let journal = self.journal
        try await write { connection throws(IndexError) in
            journal.append([.link(repository: repository, name: name.text, digests)])
            let id = try connection.repository(repository, name)
            for digest in digests { try connection.link(digest, id) }
        }
    }

    /// Binds `tag` to a stored manifest; false, and nothing done, if that is not stored (INT-8).
    package func bind(
        repository: String, name: RepositoryName, _ tag: Tag, to digest: Digest,
        checkedAt: Int64
    ) async throws(IndexError) -> Bool {
        let journal = self.journal
        return try await write { connection throws(IndexError) in
            let id = try connection.repository(repository, name)
            let before = connection.totalChanges
            let row = try connection.statement(.bindTag)
            row.bind(1, id)
            row.bind(2, tag.text)
            row.bind(3, digest)
            row.bind(4, checkedAt)
            try row.run()
            guard connection.totalChanges > before else { return false }
            journal.append([
                .tag(
                    repository: repository, name: name.text, tag: tag.text, digest,
                    checkedAt: checkedAt)
            ])
            return true
        }
    }

    /// Says that an upstream confirmed what `tag` points to.
    package func renew(
        repository: String, name: RepositoryName, _ tag: Tag, checkedAt: Int64
    ) async throws(IndexError) {
        try await write { connection throws(IndexError) in
            let id = try connection.repository(repository, name)
            let row = try connection.statement(.renewTag)
            row.bind(1, id)
            row.bind(2, tag.text)
            row.bind(3, checkedAt)
            try row.run()
        }
    }

    /// Forgets a tag, because the upstream has it no more.
    package func unbind(
        repository: String, name: RepositoryName, _ tag: Tag
    ) async throws(IndexError) {
        let journal = self.journal
        try await write { connection throws(IndexError) in
            journal.append([.untag(repository: repository, name: name.text, tag: tag.text)])
            let id = try connection.repository(repository, name)
            let row = try connection.statement(.deleteTag)
            row.bind(1, id)
            row.bind(2, tag.text)
            try row.run()
        }
    }

    /// Remembers, or with nil forgets, in which member `group` found `name`.
    package func locate(
        group: String, name: RepositoryName, in member: String?
    ) async throws(IndexError) {
        try await write { connection throws(IndexError) in
            let row = try connection.statement(member == nil ? .deleteLocated : .insertLocated)
            row.bind(1, group)
            row.bind(2, name.text)
            if let member { row.bind(3, member) }
            try row.run()
        }
    }
}

private enum RecordOutcome: Sendable { case absent, known, added }

/// What replacing or adding a blob row means for the totals.
private struct BlobRowDelta: Sendable {
    let old: StoredObject?
    let size: Int64
    let disk: Int64

    func apply(to totals: inout IndexTotals) {
        totals.blobs += old == nil ? 1 : 0
        totals.bytes += size - (old?.size ?? 0)
        totals.disk += disk - (old?.disk ?? 0)
    }
}

extension IndexTotals {
    /// Takes one object out of the sums.
    mutating func remove(_ object: StoredObject) {
        blobs -= 1
        manifests -= object.isManifest ? 1 : 0
        bytes -= object.size
        disk -= object.disk
    }
}
