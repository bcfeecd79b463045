import OCI
import Reactor
import Synchronization

/// What outlives the index: the names journal, and taking its word after a loss (DUR-4).
extension ContentIndex {
    /// Whether there is a journal from before this run, so that what it does not tell was not so.
    package var hasJournal: Bool { journal.wasThere }

    /// What the journal tells; blocks.
    package func rememberedNames() -> RememberedNames { journal.read() }

    /// Takes in what the journal tells and the index does not know: its last rows were lost.
    package func restore(_ names: RememberedNames) async throws(IndexError) {
        let (files, time) = (self.files, clock.wallSeconds)
        try await onThread { writer throws(IndexError) in
            try writer.restore(names, at: time) { writer throws(IndexError) in
                try files.keepLogShort(writer)
            }
        }
    }

    /// Records a manifest of which only the file was known.
    package func record(manifest: ManifestRecord) async throws(IndexError) {
        guard manifest.children.count <= Self.childrenMax else {
            throw IndexError.tooManyChildren(manifest.children.count)
        }
        let isAdded = try await write { connection throws(IndexError) -> Bool in
            guard let state = try connection.blobState(manifest.digest), !state.isManifest
            else { return false }
            try connection.insert(manifest)
            return true
        }
        if isAdded { totalsState.withLock { $0.manifests += 1 } }
    }

    /// Looks at the whole database for damage, which the next start then sets aside; blocks, and
    /// for long.
    package func check() throws(IndexError) {
        guard let checker = try? Connection(path: files.path, readOnly: true) else { return }
        do throws(IndexError) {
            let isWhole = try checker.isWhole()
            guard !isWhole else { return }
            throw IndexError.corrupt("its check failed")
        } catch {
            noteDamage(error)
            throw error
        }
    }

    /// Forgets tags to manifests that are not there, once a lost index is rebuilt.
    package func dropLooseTags() async throws(IndexError) {
        try await write { connection throws(IndexError) in
            try connection.statement(.dropLooseTags).run()
        }
    }

    /// Writes the journal anew if it does not tell all, or mostly of what is no more.
    package func tidyJournal(force: Bool = false) async throws(IndexError) {
        guard force || journal.wantsRewriting else { return }
        let journal = self.journal
        let now = clock.wallSeconds
        try await onThread { writer throws(IndexError) in
            try journal.rewrite(writer.namesEntries(at: now))
        }
    }
}

extension Connection {
    /// How many rows a transaction of `restore` writes, so that the log stays short.
    private static let restoredMax = 1024

    /// Adds what `names` tells at `time` and is not known; `settle` is called after each
    /// transaction.
    func restore(
        _ names: RememberedNames, at time: Int64,
        settle: (Connection) throws(IndexError) -> Void
    ) throws(IndexError) {
        let rows = names.rows
        var start = 0
        while start < rows.count {
            let end = min(start + Self.restoredMax, rows.count)
            try transaction { connection throws(IndexError) in
                for row in rows[start..<end] { try connection.restore(row, at: time) }
            }
            try settle(self)
            start = end
        }
    }

    private func restore(_ row: RememberedNames.Row, at time: Int64) throws(IndexError) {
        switch row {
        case .link(let digest, let place):
            guard let id = try repository(place) else { return }
            try link(digest, id)
            // Its age is not known any more: its lease begins anew.
            if HostedKey.isHosted(place.repository) { try host(digest, id, at: time) }
        case .tag(let key, let digest, let checkedAt):
            guard let id = try repository(key.place) else { return }
            try restore(key.tag, of: id, digest, checkedAt)
        case .pin(let pin): try insert(pin)
        }
    }

    private func repository(_ place: RememberedNames.Place) throws(IndexError) -> Int64? {
        guard let name = RepositoryName(parsing: place.name) else { return nil }
        return try repository(place.repository, name)
    }

    private func restore(
        _ tag: String, of repository: Int64, _ digest: Digest, _ checkedAt: Int64
    ) throws(IndexError) {
        guard Tag(parsing: tag) != nil else { return }
        let row = try statement(.restoreTag)
        row.bind(1, repository)
        row.bind(2, tag)
        row.bind(3, digest)
        row.bind(4, checkedAt)
        try row.run()
    }

    /// All that a journal should tell at `time`, in wall seconds.
    func namesEntries(at time: Int64) throws(IndexError) -> [NamesEntry] {
        var entries: [NamesEntry] = []
        let links = try statement(.allLinks)
        while try links.step() {
            guard let digest = links.digest(2) else { continue }
            entries.append(
                .link(repository: links.text(0) ?? "", name: links.text(1) ?? "", [digest]))
        }
        let manifests = try statement(.allManifests)
        while try manifests.step() {
            guard let digest = manifests.digest(0) else { continue }
            entries.append(.manifest(digest, mediaType: manifests.text(1) ?? ""))
        }
        let tags = try statement(.allTags)
        while try tags.step() {
            guard let digest = tags.digest(3) else { continue }
            entries.append(
                .tag(
                    repository: tags.text(0) ?? "", name: tags.text(1) ?? "",
                    tag: tags.text(2) ?? "", digest, checkedAt: tags.integer(4)))
        }
        return entries + (try pins(at: time)).map { .pin($0) }
    }
}
