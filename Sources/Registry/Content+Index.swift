import Index
import Linux
import OCI
import Reactor
import Store
import Telemetry

/// The index as repositories use it: a failing index costs the cache, never the pull (DUR-4), so
/// errors are logged here and answered by "not known".
extension Content {
    func isLinked(_ scope: Scope, _ name: RepositoryName, _ digest: Digest) -> Bool {
        read(false) { () throws(IndexError) in
            try index.isLinked(repository: scope.key, name: name, digest)
        }
    }

    /// What a stored manifest names.
    func children(of manifest: Digest) -> [Digest] {
        read([]) { () throws(IndexError) in try index.children(of: manifest).map(\.digest) }
    }

    /// Whether the bytes of `digest` are here.
    func isStored(_ digest: Digest) -> Bool {
        read(false) { () throws(IndexError) in try index.blob(digest) != nil }
    }

    /// Whether the word of `scope`'s upstream is enough to show the stored bytes of `digest`.
    ///
    /// It is not for what only others may read: an upstream that says it has what it does not have
    /// would get it from us. Then its bytes are fetched and compared.
    func mayBeShown(_ digest: Digest, onTheWordOf scope: Scope) -> Bool {
        read(false) { () throws(IndexError) in
            try index.isPublic(
                digest, loginMark: String(Scope.loginMark), orShownAt: scope.upstreamPart)
        }
    }

    func tag(_ scope: Scope, _ name: RepositoryName, _ tag: Tag) -> TagRow? {
        read(nil) { () throws(IndexError) in
            try index.tag(repository: scope.key, name: name, tag)
        }
    }

    /// The size that a stored manifest of the same name gives for `digest`.
    func describedSize(
        _ scope: Scope, _ name: RepositoryName, _ digest: Digest
    ) -> Int64? {
        read(nil) { () throws(IndexError) in
            try index.expectedSize(of: digest, repository: scope.key, name: name)
        }
    }

    /// Tags seen before, when the upstream cannot be asked.
    func knownTags(_ scope: Scope, _ name: RepositoryName, limit: Int) async -> [Tag] {
        // There may be a hundred thousand: too many for a loop.
        await workers.run { [self] in
            read([]) { () throws(IndexError) in
                try index.tags(repository: scope.key, name: name, limit: limit)
            }
        }
    }

    /// Stored manifests that refer to another.
    func knownReferrers(
        _ scope: Scope, _ name: RepositoryName, _ query: ReferrersQuery
    ) -> ReferrersPage {
        read(ReferrersPage()) { () throws(IndexError) in
            try index.referrers(
                repository: scope.key, name: name, subject: query.subject,
                artifactType: query.artifactType, after: query.last, limit: query.count,
                bytesMax: ReferrersQuery.pageBytesMax)
        }
    }

    /// What the upstream last said refers to `subject`, as it said it.
    func keptReferrers(
        _ scope: Scope, _ name: RepositoryName, _ subject: Digest
    ) -> [UInt8]? {
        read(nil) { () throws(IndexError) in
            try index.keptReferrers(repository: scope.key, name: name, subject: subject)
        }
    }

    func keepReferrers(
        _ scope: Scope, _ name: RepositoryName, _ subject: Digest, _ list: [UInt8]
    ) async {
        await write { index async throws(IndexError) in
            try await index.keepReferrers(
                repository: scope.key, name: name, subject: subject, list)
        }
    }

    /// Whether a hosted repository shows anything under `name`.
    func owns(_ scope: Scope, _ name: RepositoryName) -> Bool {
        read(false) { () throws(IndexError) in try index.owns(repository: scope.key, name: name) }
    }

    /// The member in which a group found `name` last.
    func located(_ group: String, _ name: RepositoryName) -> String? {
        read(nil) { () throws(IndexError) in try index.located(group: group, name: name) }
    }

    func locate(_ group: String, _ name: RepositoryName, in member: String) async {
        guard located(group, name) != member else { return }
        await write { index async throws(IndexError) in
            try await index.locate(group: group, name: name, in: member)
        }
    }

    func link(_ scope: Scope, _ name: RepositoryName, _ digest: Digest) async {
        guard !isLinked(scope, name, digest) else { return }
        await write { index async throws(IndexError) in
            try await index.link(repository: scope.key, name: name, [digest])
        }
    }

    func bind(_ scope: Scope, _ name: RepositoryName, _ tag: Tag, _ digest: Digest) async {
        await write { index async throws(IndexError) in
            _ = try await index.bind(
                repository: scope.key, name: name, tag, to: digest,
                checkedAt: loop.clock.wallSeconds)
        }
    }

    func renew(_ scope: Scope, _ name: RepositoryName, _ tag: Tag) async {
        await write { index async throws(IndexError) in
            try await index.renew(
                repository: scope.key, name: name, tag, checkedAt: loop.clock.wallSeconds)
        }
    }

    func unbind(_ scope: Scope, _ name: RepositoryName, _ tag: Tag) async {
        await write { index async throws(IndexError) in
            try await index.unbind(repository: scope.key, name: name, tag)
        }
    }

    /// Stores a verified manifest with what it names; nil when it could not be kept.
    ///
    /// What it gives is to be served: a digest keeps the media type it was first seen with (INT-6).
    func keep(
        _ manifest: StoredManifest, _ parsed: Manifest, in scope: Scope, _ name: RepositoryName
    ) async -> StoredManifest? {
        do throws(StoreError) {
            try await store.put(manifest.bytes, as: manifest.digest)
        } catch {
            logger.log(
                .warn, "not kept",
                [
                    "repo": .string(scope.repository), "name": .string("\(name)"),
                    "cause": .string("\(error)"),
                ])
            return nil
        }
        let record = ManifestRecord(
            digest: manifest.digest, mediaType: manifest.mediaType,
            size: Int64(manifest.bytes.count), artifactType: parsed.referrerArtifactType,
            subject: parsed.subject,
            annotations: parsed.annotations.isEmpty
                ? nil : Annotations.encode(parsed.annotations),
            children: parsed.children.map {
                ChildRow(digest: $0.digest, size: $0.size, mediaType: $0.mediaType)
            })
        var isKept = false
        await write(adding: 2 + record.children.count) { index async throws(IndexError) in
            isKept = try await index.record(manifest: record, repository: scope.key, name: name)
        }
        guard isKept else { return nil }
        let mediaType = stored(manifest.digest)?.mediaType ?? manifest.mediaType
        let kept = StoredManifest(
            digest: manifest.digest, mediaType: mediaType, bytes: manifest.bytes)
        remember(kept)
        store.markUsed(kept.digest)
        return kept
    }

    /// Goes the way of a hit as far as the first byte, with the content used last (OPS-3).
    ///
    /// What matters is that it comes back: a damaged or missing file is fetched again by itself
    /// (INT-10), and a restart would not help it. False if the index does not answer.
    package func answersPulls() async -> Bool {
        do throws(IndexError) {
            guard let digest = try index.newestRoot() else { return true }
            let isManifest = stored(digest) != nil
            guard let file = await open(digest) else {
                // Nobody pulls it now: what is hot in memory would be served without its file.
                heal(digest, isManifest: isManifest)
                return true
            }
            await workers.run {
                let byte = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
                defer { byte.deallocate() }
                _ = try? System.pread(file.fd, byte, at: 0)
            }
            return true
        } catch {
            logger.log(.error, "index", ["error": .string("\(error)")])
            return false
        }
    }

    private func read<T>(_ fallback: T, _ body: () throws(IndexError) -> T) -> T {
        do throws(IndexError) {
            return try body()
        } catch {
            logger.log(.error, "index", ["error": .string("\(error)")])
            return fallback
        }
    }

    /// `rows` is how many more the index has afterwards, at most.
    private func write(
        adding rows: Int = 2, _ body: (ContentIndex) async throws(IndexError) -> Void
    ) async {
        do throws(StoreError) {
            try await store.indexed(adding: rows, body)
        } catch {
            logger.log(.error, "index", ["error": .string("\(error)")])
        }
    }
}
