import OCI
package import Reactor
import Synchronization

/// What the stored bytes mean: blobs, manifests and their children, links, tags, recency.
///
/// SQLite in WAL mode with `synchronous=NORMAL` (DUR-3). Writes are `async`: each is one
/// transaction on the index thread, where the one writing connection lives. Reads are synchronous
/// look-ups by prepared statements on a few connections of their own, cheap enough for a loop (2 to
/// 4 µs).
package final class ContentIndex: Sendable {
    /// The database's name in the store's root; SQLite adds `-wal` and `-shm`.
    package static let fileName = "index.db"
    /// All that `footprint` counts.
    package static let fileNames: Set = [
        fileName, fileName + "-wal", fileName + "-shm", NamesJournal.fileName,
        NamesJournal.rewrittenName,
    ]

    /// How much a manifest may name: bounds the largest transaction, see `IndexFiles`.
    ///
    /// Real indexes name tens, images at most 127 layers.
    package static let childrenMax = 1024

    private static let readersCount = 2

    /// What was done to open: whether a damaged database was set aside under this name (DUR-4).
    package let setAside: String?
    /// Whether there was no index: the store's first start, or the index was lost.
    package let isNew: Bool
    package let clock: LoopClock

    let writer: Mutex<Connection?>
    private let readers: [ReaderConnection]
    private let thread: WorkerPool
    let files: IndexFiles
    let journal: NamesJournal
    let knownLinks = KnownLinks()
    let totalsState: Mutex<IndexTotals>
    /// Of all lists that are kept of upstreams; below 0 before they were added up.
    ///
    /// Written on the index thread. After a transaction that failed it is more than there is.
    let keptReferrersBytes = Atomic<Int64>(-1)
    private let pushCount = Atomic<UInt64>(0)
    private let footprintBytes: Atomic<Int64>
    private let damaged = Atomic<Bool>(false)

    /// Opens or makes the database in `directory`.
    ///
    /// `thread` is the index thread: a pool of exactly one. `allowance` is how much disk the
    /// write-ahead log and one transaction may take beyond the database, see `footprint`.
    package static func open(
        directory: String, thread: WorkerPool, clock: LoopClock,
        allowance: Int64 = IndexFiles.allowanceMax
    ) throws(IndexError) -> ContentIndex {
        let files = try IndexFiles(directory: directory, allowance: allowance)
        do throws(IndexError) {
            return try ContentIndex(files, thread, clock, isSuspect: files.isSuspect)
        } catch .corrupt {
            // SQLite calls a page damaged that cannot be read: the disk is asked once more, and
            // everything looked at, before all names are given up (P6).
            do throws(IndexError) {
                return try ContentIndex(files, thread, clock, isSuspect: true)
            } catch .corrupt {
                let name = try files.setAside()
                return try ContentIndex(files, thread, clock, setAside: name, isSuspect: false)
            }
        }
    }

    private init(
        _ files: IndexFiles, _ thread: WorkerPool, _ clock: LoopClock, setAside: String? = nil,
        isSuspect: Bool
    ) throws(IndexError) {
        try files.create()
        let writer = try Connection(path: files.path, readOnly: false)
        try writer.execute(Self.settings + "PRAGMA cache_size = -8192;")
        if isSuspect {
            try writer.check()
            files.clearSuspicion()
        }
        let found = try writer.integer("PRAGMA user_version")
        let isNew = try Schema.prepare(writer)
        let journal = try NamesJournal(
            directory: files.directory, toldAll: isNew || found >= Schema.pinsToldSince)
        // Before anybody asks: what is linked nowhere would pass for public.
        if isNew {
            try writer.restore(journal.read(), at: clock.wallSeconds) { writer throws(IndexError) in
                try files.keepLogShort(writer)
            }
        }
        try writer.checkpoint()
        var totals = IndexTotals()
        do {
            let row = try writer.statement(.totals)
            _ = try row.step()
            totals.blobs = Int(row.integer(0))
            totals.bytes = row.integer(1)
            totals.disk = row.integer(2)
            let manifests = try writer.statement(.manifestCount)
            _ = try manifests.step()
            totals.manifests = Int(manifests.integer(0))
            // What the start asks for, too: damage there is found while it can be set aside.
            for query in [Query.newestUse, .pending] {
                let row = try writer.statement(query)
                while try row.step() {}
            }
        }
        var readers: [ReaderConnection] = []
        for _ in 0..<Self.readersCount { readers.append(try ReaderConnection(files.path)) }
        self.files = files
        self.thread = thread
        self.clock = clock
        self.setAside = setAside
        self.isNew = isNew
        self.journal = journal
        self.readers = readers
        totalsState = Mutex(totals)
        footprintBytes = Atomic(
            files.footprint(pages: try writer.integer("PRAGMA page_count")) + journal.footprint)
        self.writer = Mutex(writer)
    }

    private static let settings = """
        PRAGMA page_size = \(Schema.pageBytes);
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = NORMAL;
        PRAGMA wal_autocheckpoint = 0;
        PRAGMA temp_store = MEMORY;
        PRAGMA foreign_keys = OFF;

        """

    /// Checkpoints and closes the writing connection; later writes throw `.closed`.
    package func close() async {
        await thread.run {
            self.writer.withLock { writer in
                // A failed checkpoint costs nothing: the log is replayed at the next start.
                try? writer?.checkpoint()
                writer = nil
                self.journal.close()
            }
        }
    }

    /// The most disk the database's files take until the next transaction is measured: pages, log,
    /// shared memory and the allowance for one transaction, in bytes.
    package var footprint: Int64 { footprintBytes.load(ordering: .relaxed) }

    /// Counts changes by which something may be shown no more, or something else in its place:
    /// links removed, tags bound or removed.
    ///
    /// Who looks something up after reading it may believe that until it changes.
    package var epoch: UInt64 { knownLinks.epoch }

    /// Counts changes by which a hosted repository may own another name.
    package var pushes: UInt64 { pushCount.load(ordering: .sequentiallyConsistent) }

    /// Sums over all stored objects, kept in memory.
    package var totals: IndexTotals { totalsState.withLock { $0 } }

    /// Rows written since the index was opened: a hit must not move it.
    package var totalChanges: Int {
        writer.withLock { $0?.totalChanges ?? 0 }
    }

    // MARK: - One read, one write

    /// Runs `body` on a reading connection; never waits for the writer.
    func read<T: Sendable>(
        _ body: (Connection) throws(IndexError) -> T
    ) throws(IndexError) -> T {
        do throws(IndexError) {
            for reader in readers.dropLast() {
                if let result = try reader.tryRead(body) { return result }
            }
            guard let last = readers.last else { throw IndexError.closed }
            return try last.read(body)
        } catch {
            noteDamage(error)
            throw error
        }
    }

    /// Runs `body` as one transaction on the index thread, then measures the files and keeps the
    /// write-ahead log short.
    func write<T: Sendable>(
        _ body: @escaping @Sendable (Connection) throws(IndexError) -> T
    ) async throws(IndexError) -> T {
        try await onThread { writer throws(IndexError) in try writer.transaction(body) }
    }

    /// As `write`, and on disk when it returns: what was acknowledged by it survives a power cut
    /// (DUR-3).
    func writeDurably<T: Sendable>(
        _ body: @escaping @Sendable (Connection) throws(IndexError) -> T
    ) async throws(IndexError) -> T {
        try await onThread { writer throws(IndexError) in
            try writer.execute("PRAGMA synchronous = FULL")
            defer { try? writer.execute("PRAGMA synchronous = NORMAL") }
            return try writer.transaction(body)
        }
    }

    /// Runs `body`, which makes its own transactions, on the index thread.
    func onThread<T: Sendable>(
        _ body: @escaping @Sendable (Connection) throws(IndexError) -> T
    ) async throws(IndexError) -> T {
        try await thread.run { () throws(IndexError) -> T in
            try self.writer.withLock { writer throws(IndexError) -> T in
                guard let writer else { throw IndexError.closed }
                // Also after an error: what was done before it may have been committed.
                defer { self.countChanges(writer) }
                do throws(IndexError) {
                    let result = try body(writer)
                    self.settle(writer)
                    return result
                } catch {
                    self.noteDamage(error)
                    throw error
                }
            }
        }
    }

    private func countChanges(_ writer: Connection) {
        if writer.takeShownChanged() { knownLinks.forget() }
        if writer.takePushed() { pushCount.add(1, ordering: .sequentiallyConsistent) }
    }

    /// The transaction has been committed: what fails here must not look as if it had not.
    private func settle(_ writer: Connection) {
        do throws(IndexError) {
            try files.keepLogShort(writer)
            let pages = try writer.integer("PRAGMA page_count")
            footprintBytes.store(
                files.footprint(pages: pages) + journal.footprint, ordering: .relaxed)
        } catch {
            noteDamage(error)
        }
    }

    /// Remembers damage found while running, so that the next start looks at everything.
    func noteDamage(_ error: IndexError) {
        guard error.makesSuspect, !damaged.exchange(true, ordering: .relaxed) else { return }
        files.markSuspect()
    }
}

/// A reading connection, one thread's at a time.
private final class ReaderConnection: Sendable {
    private let connection: Mutex<Connection>

    init(_ path: String) throws(IndexError) {
        let opened = try Connection(path: path, readOnly: true)
        try opened.execute("PRAGMA cache_size = -2048")
        connection = Mutex(opened)
    }

    func read<T: Sendable>(
        _ body: (Connection) throws(IndexError) -> T
    ) throws(IndexError) -> T {
        try connection.withLock { connection throws(IndexError) in try body(connection) }
    }

    /// Nil if another thread reads here.
    func tryRead<T: Sendable>(
        _ body: (Connection) throws(IndexError) -> T
    ) throws(IndexError) -> T? {
        try connection.withLockIfAvailable { connection throws(IndexError) in
            try body(connection)
        }
    }
}
