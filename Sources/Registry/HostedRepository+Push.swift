import Index
package import OCI
package import Reactor
package import Store
package import Telemetry

/// Taking what is pushed: verified, on disk and known to the index before anybody is told so
/// (DUR-3).
extension HostedRepository {
    // MARK: - Uploads

    /// Begins an upload of `user`, empty for nobody in particular.
    package func beginUpload(
        _ name: RepositoryName, user: String, _ algorithm: Digest.Algorithm = .sha256
    ) async throws(PushError) -> Upload {
        try await checkSize(adding: 0)
        do throws(StoreError) {
            let upload = try await content.store.beginUpload(
                repository: scope.key, name: name, user: user, algorithm)
            tell(.uploadBegan)
            return upload
        } catch {
            throw PushError(error)
        }
    }

    /// Takes an upload for one request; to be given back, finished or cancelled.
    ///
    /// Another's upload is as unknown as one that is not there (AUTH-7).
    package func takeUpload(
        _ id: UploadID, _ name: RepositoryName, user: String
    ) async throws(PushError) -> Upload {
        let found: Upload?
        do throws(StoreError) {
            found = try await content.store.upload(id)
        } catch {
            throw PushError(error)
        }
        guard let found, found.row.repository == scope.key, found.row.name == name.text,
            found.row.user == user
        else { throw .uploadUnknown }
        guard found.take() else { throw .uploadBusy }
        return found
    }

    /// Adds a chunk to an upload.
    package func append(_ chunk: Chunk, to upload: Upload) async throws(PushError) {
        guard upload.written + Int64(chunk.count) <= policy.blobBytesMax else {
            await end(upload, .failed)
            throw .tooLarge("a blob may have \(policy.blobBytesMax) bytes here")
        }
        do throws(StoreError) {
            try await upload.append(chunk)
        } catch {
            throw PushError(error)
        }
    }

    /// Verifies, stores and links what was uploaded; returns when all of it is on disk.
    package func finish(
        _ upload: Upload, as digest: Digest, _ name: RepositoryName
    ) async throws(PushError) {
        do throws(PushError) {
            try await checkSize(adding: upload.written)
        } catch {
            await end(upload, .failed)
            throw error
        }
        do throws(PushError) {
            // What was stored before and let go is the first that an eviction would take.
            try await holding(digest) { () throws(PushError) in
                try await store(upload, as: digest)
                try await link(digest, name)
            }
        } catch {
            tell(.uploadEnded(.failed))
            // The upload was there, and is over.
            if case .notFound = error { throw .unavailable("it cannot be read back") }
            throw error
        }
        tell(.uploadEnded(.stored))
    }

    private func store(_ upload: Upload, as digest: Digest) async throws(PushError) {
        do throws(StoreError) {
            _ = try await upload.finish(as: digest)
        } catch {
            throw PushError(error)
        }
    }

    /// Runs `body` while no eviction begins to take `digest`.
    package func holding<T, Failure: Error>(
        _ digest: Digest, _ body: () async throws(Failure) -> T
    ) async throws(Failure) -> T {
        try await content.store.holding(digest, body)
    }

    /// Ends an upload of which nothing is kept.
    package func end(_ upload: Upload, _ ending: UploadEnding) async {
        await upload.cancel()
        tell(.uploadEnded(ending))
    }

    /// Counts body bytes of a push.
    package func received(_ bytes: Int) { tell(.received(bytes)) }

    /// Whether the bytes of `digest` are stored already, so that a push of them need only prove
    /// that it has them.
    package func isStored(_ digest: Digest) -> Bool { content.isStored(digest) }

    /// Links what is stored already: its bytes were shown, or may be read by who asks.
    package func host(_ digest: Digest, _ name: RepositoryName) async throws(PushError) {
        try await holding(digest) { () throws(PushError) in try await link(digest, name) }
        tell(.mounted)
    }

    private func link(_ digest: Digest, _ name: RepositoryName) async throws(PushError) {
        guard await content.open(digest) != nil else { throw .notFound }
        var isHeld = false
        try await record(rows: 3) { [scope] index throws(IndexError) in
            isHeld = try await index.host(repository: scope.key, name: name, [digest])
        }
        // Nobody was told yet that it is here.
        guard isHeld else { throw .unavailable("it proved damaged just now") }
    }

    /// Whether `name` shows the blob, for a mount from it.
    package func has(_ digest: Digest, under name: RepositoryName) -> Bool {
        content.isLinked(scope, name, digest) && content.isStored(digest)
    }

    /// Names of this repository that show `digest`; the first few.
    package func names(showing digest: Digest) -> [RepositoryName] {
        let links = (try? content.index.links(to: digest, limit: Self.mountsMax)) ?? []
        return links.filter { $0.repository == scope.key }.map(\.name)
    }

    /// Places looked at for a mount that does not say where from.
    private static let mountsMax = 64

    /// Hashes what need not be stored, piece by piece.
    package func check(_ algorithm: Digest.Algorithm) -> PushCheck {
        PushCheck(algorithm, content.workers)
    }

    // MARK: - Manifests

    /// Stores a manifest and binds `tags` to it; gives what it refers to, if it does.
    package func put(
        _ bytes: [UInt8], as digest: Digest, contentType: String?, tags: [Tag],
        _ name: RepositoryName
    ) async throws(PushError) -> Digest? {
        let parsed = try await parse(bytes, contentType)
        let needed = Self.needed(parsed)
        try await check(needed, name)
        try await checkSize(adding: Int64(bytes.count))
        let record = ManifestRecord(
            digest: digest, mediaType: parsed.mediaType, size: Int64(bytes.count),
            artifactType: parsed.referrerArtifactType, subject: parsed.subject,
            annotations: parsed.annotations.isEmpty
                ? nil : Annotations.encode(parsed.annotations),
            children: parsed.children.map {
                ChildRow(digest: $0.digest, size: $0.size, mediaType: $0.mediaType)
            })
        try await holding(digest) { () throws(PushError) in
            do throws(StoreError) {
                try await content.store.put(bytes, as: digest)
            } catch {
                throw PushError(error)
            }
            try await bind(record, needing: needed, tags, name)
        }
        let mediaType = content.stored(digest)?.mediaType ?? parsed.mediaType
        content.remember(StoredManifest(digest: digest, mediaType: mediaType, bytes: bytes))
        tell(.manifest)
        return parsed.subject
    }

    private func parse(
        _ bytes: [UInt8], _ contentType: String?
    ) async throws(PushError) -> Manifest {
        let parsed = await content.workers.run { () -> Result<Manifest, ManifestError> in
            do throws(ManifestError) {
                return .success(try Manifest.parse(bytes, contentType: contentType))
            } catch {
                return .failure(error)
            }
        }
        do throws(ManifestError) {
            return try parsed.get()
        } catch {
            throw .manifestInvalid("\(error)")
        }
    }

    /// What an image needs was pushed before, or is elsewhere; what an index lists may come later.
    private static func needed(_ manifest: Manifest) -> [Digest] {
        guard manifest.kind == .image || manifest.kind == .artifact else { return [] }
        return manifest.children.filter { !$0.hasURLs }.map(\.digest)
    }

    private func check(_ needed: [Digest], _ name: RepositoryName) async throws(PushError) {
        let missing = await content.workers.run { [self] in
            needed.filter { !has($0, under: name) }
        }
        guard missing.isEmpty else { throw .blobsUnknown(missing) }
    }

    private func bind(
        _ manifest: ManifestRecord, needing needed: [Digest], _ tags: [Tag], _ name: RepositoryName
    ) async throws(PushError) {
        let policy = self.policy
        var outcome = ContentIndex.PushOutcome.absent
        try await record(rows: 4 + manifest.children.count + tags.count) {
            [scope] index throws(IndexError) in
            outcome = try await index.push(
                manifest: manifest, needing: needed, repository: scope.key, name: name, tags: tags
            ) { policy.mayMove($0) }
        }
        switch outcome {
        case .recorded: return
        case .absent: throw .unavailable("it proved damaged just now")
        case .tagTaken(let tag, let digest): throw .tagImmutable(tag, digest)
        case .blobsGone(let digests): throw .blobsUnknown(digests)
        }
    }

    // MARK: - Deletion

    /// Deletes a tag, or a manifest with all its tags.
    package func delete(
        _ name: RepositoryName, _ reference: Reference
    ) async throws(PushError) {
        try checkDeletion()
        var isDone = false
        try await unrecord { [scope] index throws(IndexError) in
            switch reference {
            case .tag(let tag):
                isDone = try await index.untag(repository: scope.key, name: name, tag)
            case .digest(let digest):
                // Not a blob; but one that is damaged, whatever it was, may go.
                if try index.manifest(digest) == nil, try index.blob(digest) != nil { return }
                isDone = try await index.unhost(repository: scope.key, name: name, digest)
            }
        }
        if !isDone { throw .notFound }
    }

    /// Deletes a blob from a name.
    package func delete(blob digest: Digest, _ name: RepositoryName) async throws(PushError) {
        try checkDeletion()
        guard content.isLinked(scope, name, digest) else { throw .notFound }
        var isDone = false
        try await unrecord { [scope] index throws(IndexError) in
            isDone = try await index.unhost(repository: scope.key, name: name, digest)
        }
        if !isDone { throw .notFound }
    }

    // MARK: - Common

    private func checkDeletion() throws(PushError) {
        guard policy.allowsDelete else {
            throw .forbidden("\(self.name) does not allow deleting: set delete = true for it")
        }
    }

    private func checkSize(adding bytes: Int64) async throws(PushError) {
        guard let sizeMax = policy.sizeMax else { return }
        // Adds up every blob: too much for a loop.
        let used = await disk() ?? 0
        guard used.addingReportingOverflow(bytes).partialValue <= sizeMax else {
            throw .tooLarge("\(name) has \(used) of the \(sizeMax) bytes of its max_size")
        }
    }

    /// Needs no room: what is full can be emptied.
    private func unrecord(
        _ body: (ContentIndex) async throws(IndexError) -> Void
    ) async throws(PushError) {
        do throws(StoreError) {
            try await content.store.indexed(body)
        } catch {
            throw PushError(error)
        }
    }

    private func record(
        rows: Int, _ body: (ContentIndex) async throws(IndexError) -> Void
    ) async throws(PushError) {
        do throws(StoreError) {
            try await content.store.indexed(adding: rows, body)
        } catch {
            throw PushError(error)
        }
    }
}
