package import Index
import Linux
package import OCI
package import Reactor
import Synchronization

/// Verified bytes on disk, found by their digest, within a limit that is never exceeded.
///
/// | step    | what holds it                                | protected from eviction by          |
/// |---------|----------------------------------------------|-------------------------------------|
/// | reserve | `SpaceLedger`, before the first byte         |                                     |
/// | write   | `blobs/….<n>`, tailed through `GrowingFile`  | its writer                          |
/// | commit  | verify, sync, rename, sync, index (DUR-1)    | its writer                          |
/// | stored  | `blobs/…` and a row in the index             | readers; being part of a used image |
/// | evict   | row gone, file listed as pending             |                                     |
/// | gone    | unlinked; only now the space is free         |                                     |
package final class BlobStore: Sendable {
    /// What the stored bytes mean; the store opens and closes it.
    package let index: ContentIndex
    /// Who holds how much of the disk.
    package let ledger: SpaceLedger

    let layout: StoreLayout
    let workers: WorkerPool
    private let fileThreads: WorkerPool
    let clock: LoopClock
    /// Where the store waits, if it ever has to.
    let loop: EventLoop?
    let marks: RecencyMarks
    let files: OpenFiles
    let leftovers = Leftovers()
    let uploads = Uploads()
    /// Uploads that the index knows and that have no file.
    let lostUploads = Mutex<[UploadID]>([])
    let verified = VerifiedFiles()
    let gate = Gate()
    let commits = CommitCount()
    private let closing = Atomic(false)
    /// Whether every file was compared with the index.
    let isReconciled = Atomic(false)
    /// What the names journal tells, while files are taken in that the index does not know.
    let remembered = Mutex<RememberedNames?>(nil)
    /// One file at a time is taken in because somebody asks for it.
    let adoptions = Gate()
    let litter = Mutex<[Litter]>([])
    private let tell: @Sendable (StoreEvent) -> Void
    private let damageWatch = Mutex<(@Sendable (Digest) -> Void)?>(nil)

    func report(_ event: StoreEvent) {
        tell(event)
        guard case .damaged(let digest, _) = event else { return }
        damageWatch.withLock { $0 }?(digest)
    }

    /// Has somebody told of each object that is found damaged from now on.
    package func watchDamage(_ watch: @escaping @Sendable (Digest) -> Void) {
        damageWatch.withLock { $0 = watch }
    }

    /// A growing file whose writer was dropped: unlinked when a worker is at hand.
    struct Litter: Sendable {
        let name: GrowingName
        let reservation: Reservation
    }

    /// Opens the store at `root`, making it if needed.
    ///
    /// Blocks, for the start only, in bounded time (DUR-5); `reconcile()` does the rest in the
    /// background.
    ///
    /// `workers` hash and wait for the disk, `fileThreads` (or else they) do what takes a moment,
    /// `indexThread` (a pool of one) is SQLite's writer. On `loop` it waits until freed space may
    /// be given out; without one it does not wait. `report` may be called on any thread. Throws
    /// `.locked` if another instance has the store (DUR-8).
    package static func open(
        root: String, limits: StoreLimits, workers: WorkerPool, fileThreads: WorkerPool? = nil,
        indexThread: WorkerPool, clock: LoopClock, loop: EventLoop? = nil,
        report: @escaping @Sendable (StoreEvent) -> Void = { _ in }
    ) throws(StoreError) -> BlobStore {
        let layout = try StoreLayout(path: root)
        let start = try StoreStart(layout, limits, indexThread, clock)
        let store = BlobStore(
            layout, start, limits, workers, fileThreads ?? workers, clock, loop, report)
        try store.takeStock(start)
        return store
    }

    private init(
        _ layout: StoreLayout, _ start: StoreStart, _ limits: StoreLimits,
        _ workers: WorkerPool, _ fileThreads: WorkerPool, _ clock: LoopClock, _ loop: EventLoop?,
        _ report: @escaping @Sendable (StoreEvent) -> Void
    ) {
        let index = start.index
        self.index = index
        self.layout = layout
        self.workers = workers
        self.fileThreads = fileThreads
        self.clock = clock
        self.loop = loop
        tell = report
        ledger = SpaceLedger(
            maxSize: start.maxSize, minFree: start.minFree,
            cooling: loop.map { _ in .init(clock: clock) { Self.coolingTime(index.totals.blobs) } },
            footprint: { index.footprint })
        marks = RecencyMarks(clock: clock, newest: start.newestUse)
        files = OpenFiles(idleMax: limits.openFilesMax)
    }

    /// Waits for commits, flushes recency, closes the index and lets another instance have the
    /// store.
    ///
    /// Whoever has a whole body finds it again after the restart. Writers that have not come to
    /// their end by now fail; their files are left for the next run to go on with.
    package func close() async {
        await commits.drained()
        await flushRecency()
        closing.store(true, ordering: .sequentiallyConsistent)
        await index.close()
        uploads.removeAll()
        layout.unlock()
    }

    /// Whether nothing is to be written or removed any more.
    var isClosed: Bool { closing.load(ordering: .sequentiallyConsistent) }

    /// Takes new limits into force; what is over them is evicted by the next `reconcile()` or
    /// reservation.
    package func apply(_ limits: StoreLimits) async throws(StoreError) {
        let total = try await run { layout throws(Errno) in try layout.fileSystem().total }
        ledger.setLimits(
            maxSize: limits.maxSize.resolved(of: total),
            minFree: limits.minFreeBytes(of: total))
    }

    package var statistics: StoreStatistics {
        let space = ledger.snapshot
        let totals = index.totals
        return StoreStatistics(
            usedBytes: space.used, limitBytes: space.limit, reservedBytes: space.reserved,
            freeBytes: space.available, blobs: totals.blobs, manifests: totals.manifests,
            openFiles: files.count)
    }

    /// Creates and removes an empty file, to see that the disk can still be written (OPS-3).
    package func probe() async throws(StoreError) {
        try await run { layout throws(Errno) in try layout.probe() }
    }

    /// Runs calls of the file system that take a moment.
    ///
    /// Whoever waits for them does not wait behind hashing, nor for a turn of the threads that give
    /// way to loops.
    func run<T: Sendable>(
        _ body: @escaping @Sendable (StoreLayout) throws(Errno) -> T
    ) async throws(StoreError) -> T {
        try await run(on: fileThreads, body)
    }

    /// The same for what reads, hashes or waits for the disk.
    func runLong<T: Sendable>(
        _ body: @escaping @Sendable (StoreLayout) throws(Errno) -> T
    ) async throws(StoreError) -> T {
        try await run(on: workers, body)
    }

    private func run<T: Sendable>(
        on threads: WorkerPool, _ body: @escaping @Sendable (StoreLayout) throws(Errno) -> T
    ) async throws(StoreError) -> T {
        let layout = self.layout
        do throws(Errno) {
            return try await threads.run { () throws(Errno) -> T in try body(layout) }
        } catch {
            throw StoreError(error)
        }
    }
}
