import Glibc
import Linux
import OCI
package import Reactor
import Synchronization

/// What outlives the index: the names journal, and taking its word after a loss (DUR-4).
extension ContentIndex {
    /// Whether there is a journal from before this run, so that what it does not tell was not so.
    package var hasJournal: Bool { journal.wasThere }

    /// What the journal tells; blocks.
    package func rememberedNames() -> RememberedNames { journal.read() }

    /// Takes in what the journal tells and the index does not know: its last rows were lost.
    ///
    /// Others have the index thread between two transactions.
    package func restore(_ rows: [RememberedNames.Row]) async throws(IndexError) {
        let (journal, time) = (self.journal, clock.wallSeconds)
        var start = 0
        while start < rows.count {
            let part = rows[start..<min(start + Connection.restoredMax, rows.count)]
            try await write { connection throws(IndexError) in
                let added = try connection.restore(part, at: time)
                journal.retell(added.map(\.entry))
            }
            start = part.endIndex
        }
    }

    /// Records a manifest of which only the file was known.
    package func record(manifest: ManifestRecord) async throws(IndexError) {
        guard manifest.children.count <= Self.childrenMax else {
            throw IndexError.tooManyChildren(manifest.children.count)
        }
        let journal = self.journal
        let isAdded = try await write { connection throws(IndexError) -> Bool in
            guard let state = try connection.blobState(manifest.digest), !state.isManifest
            else { return false }
            journal.retell([.manifest(manifest.digest, mediaType: manifest.mediaType)])
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

    /// Writes the journal anew if it does not tell all, or mostly of what is no more, and nobody
    /// does so already.
    ///
    /// Takes the index thread for a piece at a time and waits for `pause` after each. What was
    /// written is synced on `workers`, lest much of it is at the end.
    package func tidyJournal(
        force: Bool = false, syncingOn workers: WorkerPool? = nil, pause: () async -> Void = {}
    ) async throws(IndexError) {
        guard force || journal.wantsRewriting(expecting: totals.namesBytes) else { return }
        let journal = self.journal
        let begun = try await onThread { _ throws(IndexError) in try journal.beginRewriting() }
        guard let number = begun else { return }
        do throws(IndexError) {
            try await rewriteJournal(number, workers, pause)
            try await onThread { _ throws(IndexError) in try journal.finishRewriting(number) }
        } catch {
            journal.abandonRewriting(number)
            throw error
        }
    }

    private func rewriteJournal(
        _ number: Int, _ workers: WorkerPool?, _ pause: () async -> Void
    ) async throws(IndexError) {
        let journal = self.journal
        var cursor = NamesCursor(time: clock.wallSeconds)
        var unsynced = 0
        while !cursor.isAtEnd {
            let from = cursor
            let (next, bytes) = try await onThread { writer throws(IndexError) in
                var cursor = from
                let lines = try cursor.piece(of: writer)
                guard journal.rewrite(lines, number) else {
                    throw IndexError.io(Errno(ECANCELED, NamesJournal.rewrittenName))
                }
                return (cursor, lines.count)
            }
            cursor = next
            unsynced += bytes
            if let workers, cursor.isAtEnd || unsynced >= Self.unsyncedMax {
                try await workers.run { () throws(IndexError) in try journal.syncRewritten() }
                unsynced = 0
            }
            await pause()
        }
    }

    /// So many bytes of a new journal are on their way to the disk at once: a transaction's own
    /// few may have to wait for them.
    private static let unsyncedMax = 4 << 20
}

extension IndexTotals {
    /// About what a journal takes that tells of all this and no more, in bytes: a line for each
    /// name of a blob, most of which have one, and of a manifest its type and a tag.
    fileprivate var namesBytes: Int64 { 110 * Int64(blobs) + 280 * Int64(manifests) }
}

extension Connection {
    /// How many rows a transaction of `restore` writes, so that the log stays short.
    static let restoredMax = 1024

    /// Adds all that `names` tells at `time`; `settle` is called after each transaction.
    func restore(
        _ names: RememberedNames, at time: Int64,
        settle: (Connection) throws(IndexError) -> Void
    ) throws(IndexError) {
        let rows = names.rows
        var start = 0
        while start < rows.count {
            let part = rows[start..<min(start + Self.restoredMax, rows.count)]
            try transaction { connection throws(IndexError) in
                _ = try connection.restore(part, at: time)
            }
            try settle(self)
            start = part.endIndex
        }
    }

    /// Gives those that were not known, or not so.
    func restore(
        _ rows: ArraySlice<RememberedNames.Row>, at time: Int64
    ) throws(IndexError) -> [RememberedNames.Row] {
        var added: [RememberedNames.Row] = []
        for row in rows {
            let before = totalChanges
            try restore(row, at: time)
            if totalChanges > before { added.append(row) }
        }
        return added
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
}
