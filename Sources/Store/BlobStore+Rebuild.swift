import Index
import Linux
import OCI
import Reactor
import Synchronization

/// A lost index is rebuilt from the files and the names journal (DUR-4).
///
/// Who may show what is known before the first request. Manifests are taken in first, since tags
/// and images hang on them, then all other files in the background; one that somebody asks for
/// does not wait for its turn.
extension BlobStore {
    /// Takes in a file that the index does not know because somebody asks for it; true if it is
    /// known now.
    func adoptInTurn(_ digest: Digest) async -> Bool {
        if !ledger.isStray(digest) {
            // The index may have lost its last rows only, without a trace.
            guard !isReconciled.load(ordering: .relaxed), !files.isWritten(digest),
                (try? await run({ layout throws(Errno) in try layout.status(digest) })) != nil
            else { return false }
        }
        await adoptions.enter()
        defer { adoptions.leave() }
        if (try? index.blob(digest)) == .some(nil) { await adopt(digest) }
        return (try? index.blob(digest)) != nil
    }

    /// Takes in the manifests that a lost index knew.
    func adoptManifests() async {
        guard index.isNew else { return }
        let names = await names()
        let manifests = await workers.run { names.manifests }
        for digest in manifests where ledger.isStray(digest) { await adopt(digest) }
    }

    /// Puts back what the journal tells of a file that is being taken in.
    func recallNames(of digest: Digest) async {
        guard !index.isNew else { return }
        // What fails here is tried again when all are taken in.
        try? await index.restore(names().only(digest).rows)
    }

    /// Puts back what the journal tells of files that were taken in, and tidies the journal.
    func restoreNames() async {
        let names = remembered.withLock { names in
            defer { names = nil }
            return names
        }
        // What fails here is looked at by the next start.
        if index.isNew {
            try? await index.dropLooseTags()
        } else if let names {
            try? await index.restore(workers.run { names.rows })
        }
        await tidyJournal(force: index.isNew || names != nil)
        await checkIndex()
    }

    /// Has the names journal written anew if it is due, a piece at a time; takes many seconds with
    /// a million blobs, during which nobody waits for it.
    package func tidyJournal() async {
        if isReconciled.load(ordering: .relaxed) { await tidyJournal(force: false) }
    }

    func tidyJournal(force: Bool) async {
        // What fails here is done again some time.
        try? await index.tidyJournal(force: force, syncingOn: workers) {
            await loop?.pause(for: Self.journalPause)
        }
    }

    /// Between two pieces of the names journal, each of which takes about a millisecond: pulls have
    /// the processor most of the time, even if there is only one.
    private static let journalPause = Duration.milliseconds(4)

    /// Looks for damage that nobody has met yet: the next start sets a damaged index aside.
    private func checkIndex() async {
        let index = self.index
        let damage = await workers.run { () -> IndexError? in
            do throws(IndexError) {
                try index.check()
                return nil
            } catch {
                return error
            }
        }
        if case .corrupt = damage { report(.indexDamaged) }
    }

    /// What the journal tells; read once per rebuilding.
    private func names() async -> RememberedNames {
        if let names = remembered.withLock({ $0 }) { return names }
        let index = self.index
        let names = await workers.run { index.rememberedNames() }
        remembered.withLock { $0 = names }
        return names
    }

    /// Records a file that was taken in as the manifest that it is, if it is one.
    func recognise(_ digest: Digest, _ size: Int64) async {
        let type = await names().mediaType(of: digest)
        guard size > 0, size <= Int64(Manifest.bytesMax) else { return }
        let record = try? await runLong { layout throws(Errno) -> ManifestRecord? in
            let bytes = try layout.read(digest, count: Int(size))
            guard let manifest = try? Manifest.parse(bytes, contentType: type) else { return nil }
            return ManifestRecord(digest: digest, size: size, manifest)
        }
        guard let record = record ?? nil else { return }
        try? await index.record(manifest: record)
    }
}
