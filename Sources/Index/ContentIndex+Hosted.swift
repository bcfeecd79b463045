package import OCI
import Reactor
import Synchronization

/// What is pushed: linked until it is deleted, and on disk before anybody is told so (DUR-3).
extension ContentIndex {
    /// How many blobs one transaction of a collection lets go.
    private static let collectedMax = 256

    /// Whether nobody counts on what is about to be let go.
    package typealias MayGo =
        @Sendable (_ repository: String, _ name: String, Digest) -> Bool

    /// What one step of a collection let go.
    package struct Collected: Sendable {
        /// The number of the name that is done with.
        package let repository: Int64
        /// The key of its repository.
        package let key: String
        package let count: Int
    }

    /// What came of recording a pushed manifest.
    package enum PushOutcome: Equatable, Sendable {
        case recorded
        /// Its file is not stored (any more).
        case absent
        /// The tag points to another manifest, and may not be moved.
        case tagTaken(Tag, Digest)
        /// These that the manifest needs are not shown under its name (any more).
        case blobsGone([Digest])
    }

    /// Lets a hosted repository show `digests` under `name` and holds them from now on; false, and
    /// nothing of it is done, if one is not stored (any more).
    package func host(
        repository: String, name: RepositoryName, _ digests: [Digest]
    ) async throws(IndexError) -> Bool {
        let (journal, time) = (self.journal, clock.wallSeconds)
        return try await writeDurably { connection throws(IndexError) in
            for digest in digests where try connection.blobState(digest) == nil { return false }
            journal.append([.link(repository: repository, name: name.text, digests)])
            let id = try connection.repository(repository, name)
            for digest in digests {
                try connection.link(digest, id)
                try connection.host(digest, id, at: time)
            }
            return true
        }
    }

    /// Records a pushed manifest and binds `tags` to it, all of them or none.
    ///
    /// Of a tag for which `mayMove` is false another manifest stays what it was. What the manifest
    /// is `needing` is looked at in the same transaction: a collection that let it go a moment ago
    /// is noticed, and a later one finds the manifest (P12).
    package func push(
        manifest: ManifestRecord, needing needed: [Digest] = [], repository: String,
        name: RepositoryName, tags: [Tag],
        mayMove: @escaping @Sendable (Tag) -> Bool
    ) async throws(IndexError) -> PushOutcome {
        guard manifest.children.count <= Self.childrenMax else {
            throw IndexError.tooManyChildren(manifest.children.count)
        }
        let (journal, time) = (self.journal, clock.wallSeconds)
        let result = try await writeDurably { connection throws(IndexError) in
            guard let state = try connection.blobState(manifest.digest) else {
                return (outcome: PushOutcome.absent, isNew: false)
            }
            let id = try connection.repository(repository, name)
            var gone: [Digest] = []
            for digest in needed where try !connection.isHosted(digest, id) { gone.append(digest) }
            guard gone.isEmpty else { return (outcome: .blobsGone(gone), isNew: false) }
            for tag in tags where !mayMove(tag) {
                if let bound = try connection.bound(tag, id), bound != manifest.digest {
                    return (outcome: .tagTaken(tag, bound), isNew: false)
                }
            }
            journal.append(
                [
                    .manifest(manifest.digest, mediaType: manifest.mediaType),
                    .link(repository: repository, name: name.text, [manifest.digest]),
                ]
                    + tags.map {
                        .tag(
                            repository: repository, name: name.text, tag: $0.text,
                            manifest.digest, checkedAt: time)
                    })
            if !state.isManifest { try connection.insert(manifest) }
            try connection.link(manifest.digest, id)
            try connection.host(manifest.digest, id, at: time)
            for tag in tags { try connection.bind(tag, id, manifest.digest, at: time) }
            return (outcome: .recorded, isNew: !state.isManifest)
        }
        if result.isNew { totalsState.withLock { $0.manifests += 1 } }
        return result.outcome
    }

    /// Forgets that a hosted repository shows `digest` under `name`, and its tags there; false if
    /// it did not.
    ///
    /// The bytes stay as long as there is room, or somebody else shows them.
    package func unhost(
        repository: String, name: RepositoryName, _ digest: Digest
    ) async throws(IndexError) -> Bool {
        let journal = self.journal
        return try await writeDurably { connection throws(IndexError) in
            let id = try connection.repository(repository, name)
            let tags = try connection.tags(to: digest, id)
            for tag in tags {
                try connection.deleteTag(tag, id)
                journal.append([.untag(repository: repository, name: name.text, tag: tag)])
            }
            journal.append([.unlink(repository: repository, name: name.text, digest)])
            return try connection.unhost(digest, id)
        }
    }

    /// Forgets a tag of a hosted repository; false if there is none.
    package func untag(
        repository: String, name: RepositoryName, _ tag: Tag
    ) async throws(IndexError) -> Bool {
        let journal = self.journal
        return try await writeDurably { connection throws(IndexError) in
            let id = try connection.repository(repository, name)
            guard try connection.bound(tag, id) != nil else { return false }
            journal.append([.untag(repository: repository, name: name.text, tag: tag.text)])
            try connection.deleteTag(tag.text, id)
            return true
        }
    }

    /// Lets go of hosted blobs that no manifest of their name needs and that were linked before
    /// `time`, a batch of one name; gives where it was, for the next call to go on after.
    ///
    /// Nil when there is no further name. `mayGo` has the last word on each of them.
    package func collect(
        after last: Int64, linkedBefore time: Int64,
        mayGo: @escaping MayGo = { _, _, _ in true }
    ) async throws(IndexError) -> Collected? {
        let journal = self.journal
        return try await write { connection throws(IndexError) in
            guard let id = try connection.hostedRepository(after: last) else { return nil }
            let loose = try connection.unreferenced(id, linkedBefore: time, Self.collectedMax)
            guard !loose.isEmpty, let place = try connection.place(id) else {
                return Collected(repository: id, key: "", count: 0)
            }
            var count = 0
            for digest in loose where mayGo(place.repository, place.name, digest) {
                journal.append([.unlink(repository: place.repository, name: place.name, digest)])
                _ = try connection.unhost(digest, id)
                count += 1
            }
            // A full batch may not be all of them, unless it was full of what has to stay.
            let isAll = loose.count < Self.collectedMax || count == 0
            return Collected(repository: isAll ? id : id - 1, key: place.repository, count: count)
        }
    }

    /// Deletes tags of one name that are not among the `keepingLast` newest and were bound before
    /// `boundBefore`, and lets go of manifests that have no tag left and are part of nothing; gives
    /// how many of both that were.
    ///
    /// A rule that is nil keeps nothing; without both all would go, so that nothing is done.
    /// Manifests without a tag that were pushed before `untaggedBefore` and that nothing refers to
    /// go as well: those that a tag was moved away from, and what was about one that is gone.
    /// `mayGo` has the last word on each manifest.
    package func expireTags(
        repository: String, name: RepositoryName, keepingLast: Int?, boundBefore: Int64?,
        untaggedBefore: Int64 = .min, mayGo: @escaping MayGo = { _, _, _ in true }
    ) async throws(IndexError) -> (tags: Int, manifests: Int) {
        guard keepingLast != nil || boundBefore != nil else { return (0, 0) }
        let journal = self.journal
        return try await write { connection throws(IndexError) -> (tags: Int, manifests: Int) in
            let id = try connection.repository(repository, name)
            let tags = try connection.tagsByAge(id)
            var gone: [(tag: String, digest: Digest)] = []
            // Of those pushed in the same second none goes before another.
            let lastOfThem = keepingLast.flatMap { $0 > 0 ? tags.prefix($0).last : nil }
            for tag in tags {
                let isAmongLast = lastOfThem.map { tag.createdAt >= $0.createdAt } ?? false
                let isYoung = boundBefore.map { tag.createdAt >= $0 } ?? false
                if !isAmongLast, !isYoung { gone.append((tag.tag, tag.digest)) }
            }
            for (tag, _) in gone {
                try connection.deleteTag(tag, id)
                journal.append([.untag(repository: repository, name: name.text, tag: tag)])
            }
            var loose = Set(
                try connection.untagged(id, linkedBefore: untaggedBefore, Self.collectedMax))
            for digest in Set(gone.map(\.digest)) {
                let isTagged = try !connection.tags(to: digest, id).isEmpty
                let isPart = try connection.isPart(digest, id)
                if !isTagged, !isPart { loose.insert(digest) }
            }
            loose = loose.filter { mayGo(repository, name.text, $0) }
            for digest in loose.sorted() {
                journal.append([.unlink(repository: repository, name: name.text, digest)])
                _ = try connection.unhost(digest, id)
            }
            return (gone.count, loose.count)
        }
    }

    // MARK: - Look-ups

    /// Names under which a hosted repository shows something, in their order, after `last`.
    package func hostedNames(
        repository: String, after last: String, limit: Int
    ) throws(IndexError) -> [String] {
        try names(.hostedNames, repository, after: last, limit)
    }

    /// Names of which a proxy knows tags, in their order, after `last`.
    package func knownNames(
        repository: String, after last: String, limit: Int
    ) throws(IndexError) -> [String] {
        try names(.knownNames, repository, after: last, limit)
    }

    private func names(
        _ query: Query, _ repository: String, after last: String, _ limit: Int
    ) throws(IndexError) -> [String] {
        try read { connection throws(IndexError) in
            let row = try connection.statement(query)
            row.bind(1, repository)
            row.bind(2, last)
            row.bind(3, Int64(max(limit, 0)))
            var names: [String] = []
            while try row.step() { names.append(row.text(0) ?? "") }
            return names
        }
    }

    /// Whether a hosted repository shows anything under `name`.
    package func owns(repository: String, name: RepositoryName) throws(IndexError) -> Bool {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.ownsName)
            row.bind(1, repository)
            row.bind(2, name.text)
            return try row.step()
        }
    }

    /// What all hosted repositories take on disk, which no eviction can free, in bytes.
    package func heldDisk() throws(IndexError) -> Int64 {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.heldDisk)
            return try row.step() ? row.integer(0) : 0
        }
    }

    /// What a hosted repository takes on disk, each blob once, in bytes.
    package func hostedDisk(repository: String) throws(IndexError) -> Int64 {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.hostedDisk)
            row.bind(1, repository)
            return try row.step() ? row.integer(0) : 0
        }
    }
}

extension Connection {
    func host(_ digest: Digest, _ repository: Int64, at time: Int64) throws(IndexError) {
        let row = try statement(.insertHosted)
        row.bind(1, repository)
        row.bind(2, digest)
        row.bind(3, time)
        try row.run()
    }

    /// False if it was not hosted there.
    fileprivate func unhost(_ digest: Digest, _ repository: Int64) throws(IndexError) -> Bool {
        let before = totalChanges
        for query in [Query.deleteHosted, .deleteLink] {
            let row = try statement(query)
            row.bind(1, repository)
            row.bind(2, digest)
            try row.run()
        }
        return totalChanges > before
    }

    fileprivate func bind(
        _ tag: Tag, _ repository: Int64, _ digest: Digest, at time: Int64
    ) throws(IndexError) {
        let row = try statement(.pushTag)
        row.bind(1, repository)
        row.bind(2, tag.text)
        row.bind(3, digest)
        row.bind(4, time)
        try row.run()
    }

    fileprivate func deleteTag(_ tag: String, _ repository: Int64) throws(IndexError) {
        let row = try statement(.deleteTag)
        row.bind(1, repository)
        row.bind(2, tag)
        try row.run()
    }

    fileprivate func bound(_ tag: Tag, _ repository: Int64) throws(IndexError) -> Digest? {
        let row = try statement(.boundTag)
        row.bind(1, repository)
        row.bind(2, tag.text)
        return try row.step() ? row.digest(0) : nil
    }

    fileprivate func tags(to digest: Digest, _ repository: Int64) throws(IndexError) -> [String] {
        let row = try statement(.tagsTo)
        row.bind(1, repository)
        row.bind(2, digest)
        var tags: [String] = []
        while try row.step() { tags.append(row.text(0) ?? "") }
        return tags
    }

    /// Newest first.
    fileprivate func tagsByAge(
        _ repository: Int64
    ) throws(IndexError) -> [(tag: String, digest: Digest, createdAt: Int64)] {
        let row = try statement(.tagsByAge)
        row.bind(1, repository)
        var tags: [(tag: String, digest: Digest, createdAt: Int64)] = []
        while try row.step() {
            guard let tag = row.text(0), let digest = row.digest(1) else { continue }
            tags.append((tag, digest, row.integer(2)))
        }
        return tags
    }

    fileprivate func isHosted(_ digest: Digest, _ repository: Int64) throws(IndexError) -> Bool {
        let row = try statement(.isHosted)
        row.bind(1, repository)
        row.bind(2, digest)
        return try row.step()
    }

    /// Whether an index that is hosted under the same name lists `digest`.
    fileprivate func isPart(_ digest: Digest, _ repository: Int64) throws(IndexError) -> Bool {
        let row = try statement(.isPart)
        row.bind(1, repository)
        row.bind(2, digest)
        return try row.step()
    }

    fileprivate func hostedRepository(after last: Int64) throws(IndexError) -> Int64? {
        let row = try statement(.hostedRepositories)
        row.bind(1, last)
        return try row.step() ? row.integer(0) : nil
    }

    fileprivate func unreferenced(
        _ repository: Int64, linkedBefore time: Int64, _ limit: Int
    ) throws(IndexError) -> [Digest] {
        try hosted(.unreferenced, repository, time, limit)
    }

    fileprivate func untagged(
        _ repository: Int64, linkedBefore time: Int64, _ limit: Int
    ) throws(IndexError) -> [Digest] {
        try hosted(.untagged, repository, time, limit)
    }

    private func hosted(
        _ query: Query, _ repository: Int64, _ time: Int64, _ limit: Int
    ) throws(IndexError) -> [Digest] {
        let row = try statement(query)
        row.bind(1, repository)
        row.bind(2, time)
        row.bind(3, Int64(limit))
        var digests: [Digest] = []
        while try row.step() {
            if let digest = row.digest(0) { digests.append(digest) }
        }
        return digests
    }

    fileprivate func place(
        _ repository: Int64
    ) throws(IndexError) -> (repository: String, name: String)? {
        let row = try statement(.place)
        row.bind(1, repository)
        guard try row.step(), let key = row.text(0), let name = row.text(1) else { return nil }
        return (key, name)
    }
}
