package import OCI
import Reactor

/// Look-ups: synchronous, on any thread, by prepared statements.
extension ContentIndex {
    /// The stored file of `digest`, or nil.
    package func blob(_ digest: Digest) throws(IndexError) -> BlobRow? {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.blob)
            row.bind(1, digest)
            guard try row.step() else { return nil }
            return BlobRow(
                size: row.integer(0), disk: row.integer(1), lastUsed: row.integer(2),
                isRoot: row.integer(3) != 0)
        }
    }

    /// The stored manifest `digest`, or nil: a digest may also be a stored blob only.
    package func manifest(_ digest: Digest) throws(IndexError) -> ManifestRow? {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.manifest)
            row.bind(1, digest)
            guard try row.step() else { return nil }
            return ManifestRow(
                mediaType: row.text(0) ?? "", size: row.integer(1), artifactType: row.text(2),
                subject: row.digest(3), annotations: row.text(4))
        }
    }

    /// What the stored manifest `digest` names, in its order; empty if it is not stored.
    package func children(of digest: Digest) throws(IndexError) -> [ChildRow] {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.children)
            row.bind(1, digest)
            var children: [ChildRow] = []
            while try row.step() {
                guard let child = row.digest(0) else { continue }
                children.append(
                    ChildRow(digest: child, size: row.integer(1), mediaType: row.text(2) ?? ""))
            }
            return children
        }
    }

    /// Whether that is so and was looked up a moment ago; memory only.
    package func isKnownToLink(
        repository: String, name: RepositoryName, _ digest: Digest
    ) -> Bool {
        knownLinks.contains(repository, name, digest)
    }

    /// Whether `repository` has shown `digest` under `name`: knowing a digest is not a right.
    package func isLinked(
        repository: String, name: RepositoryName, _ digest: Digest
    ) throws(IndexError) -> Bool {
        if knownLinks.contains(repository, name, digest) { return true }
        let epoch = knownLinks.epoch
        let isLinked = try read { connection throws(IndexError) in
            let row = try connection.statement(.isLinked)
            row.bind(1, repository)
            row.bind(2, name.text)
            row.bind(3, digest)
            return try row.step()
        }
        if isLinked { knownLinks.add(repository, name, digest, since: epoch) }
        return isLinked
    }

    /// Whether `digest` is linked in a repository without `loginMark` in its key, in one with
    /// `part` in its key, or in none at all.
    package func isPublic(
        _ digest: Digest, loginMark: String, orShownAt part: String
    ) throws(IndexError) -> Bool {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.isPublic)
            row.bind(1, digest)
            row.bind(2, loginMark)
            row.bind(3, part)
            guard try row.step() else { return false }
            return row.integer(0) != 0
        }
    }

    /// Who has shown `digest`, and under which names; at most `limit`, the first ones.
    package func links(to digest: Digest, limit: Int) throws(IndexError) -> [LinkRow] {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.links)
            row.bind(1, digest)
            row.bind(2, Int64(max(limit, 0)))
            var links: [LinkRow] = []
            while try row.step() {
                guard let repository = row.text(0),
                    let name = row.text(1).flatMap({ RepositoryName(parsing: $0) })
                else { continue }
                links.append(LinkRow(repository: repository, name: name))
            }
            return links
        }
    }

    /// What `tag` points to, or nil.
    package func tag(
        repository: String, name: RepositoryName, _ tag: Tag
    ) throws(IndexError) -> TagRow? {
        let now = clock.wallSeconds
        return try read { connection throws(IndexError) in
            let row = try connection.statement(.tag)
            row.bind(1, repository)
            row.bind(2, name.text)
            row.bind(3, tag.text)
            guard try row.step(), let digest = row.digest(0) else { return nil }
            return TagRow(
                digest: digest, checkedAt: min(row.integer(1), now),
                createdAt: min(row.integer(2), now))
        }
    }

    /// Tags in ASCII order, those after `last`, at most `limit`.
    package func tags(
        repository: String, name: RepositoryName, after last: String = "", limit: Int
    ) throws(IndexError) -> [Tag] {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.tags)
            row.bind(1, repository)
            row.bind(2, name.text)
            row.bind(3, last)
            row.bind(4, Int64(max(limit, 0)))
            var tags: [Tag] = []
            while try row.step() {
                if let tag = row.text(0).flatMap({ Tag(parsing: $0) }) { tags.append(tag) }
            }
            return tags
        }
    }

    /// The size that a stored manifest of the same name gives for `digest` (INT-11), or nil.
    ///
    /// Manifests of other names do not count: whoever publishes one could keep everybody else from
    /// pulling what it names.
    package func expectedSize(
        of digest: Digest, repository: String, name: RepositoryName
    ) throws(IndexError) -> Int64? {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.expectedSize)
            row.bind(1, repository)
            row.bind(2, name.text)
            row.bind(3, digest)
            return try row.step() ? row.integer(0) : nil
        }
    }

    /// The member in which `group` last found `name`, or nil.
    package func located(group: String, name: RepositoryName) throws(IndexError) -> String? {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.located)
            row.bind(1, group)
            row.bind(2, name.text)
            return try row.step() ? row.text(0) : nil
        }
    }

    /// Stored digests whose raw hash begins with `first`, to be compared with a shard directory.
    package func digests(startingWith first: UInt8) throws(IndexError) -> [Digest] {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.shard)
            row.bind(1, [first])
            // No hash is longer than 64 bytes, so this bound lies beyond all of them.
            row.bind(2, first < 255 ? [first + 1] : [UInt8](repeating: 255, count: 65))
            var digests: [Digest] = []
            while try row.step() {
                if let digest = row.digest(0) { digests.append(digest) }
            }
            return digests
        }
    }

    /// What all stored images that hold one of `digests` take on disk together, in bytes.
    package func disk(ofImagesWith digests: [Digest]) throws(IndexError) -> Int64 {
        try read { connection throws(IndexError) in
            var disk: Int64 = 0
            for digest in digests {
                let row = try connection.statement(.imageDisk)
                row.bind(1, digest)
                if try row.step() { disk += row.integer(0) }
            }
            return disk
        }
    }

    /// Files that may exist without a blob row, left by a crash or being worked on.
    package func pending() throws(IndexError) -> [PendingRow] {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.pending)
            var found: [PendingRow] = []
            while try row.step() {
                guard let digest = row.digest(0) else { continue }
                found.append(
                    PendingRow(
                        digest: digest, disk: row.integer(1), isDoomed: row.integer(2) != 0))
            }
            return found
        }
    }

    /// The newest recency stamp given out so far; 0 for an empty store.
    package func newestUse() throws(IndexError) -> Int64 {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.newestUse)
            return try row.step() ? row.integer(0) : 0
        }
    }

    /// The image or blob used last, by the last flush of marks; nil for an empty store.
    package func newestRoot() throws(IndexError) -> Digest? {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.newestRoot)
            return try row.step() ? row.digest(0) : nil
        }
    }
}
