import Glibc
import Index
import Linux
package import OCI
package import Reactor
import Synchronization

/// The one door through which bytes enter the store.
///
/// One task appends, one chunk at a time, then finishes or abandons. Bytes can be read through
/// `file` as they come; the end of every body waits for the digest.
///
/// | phase   | entered by                  | partial file      | `file`                     |
/// |---------|-----------------------------|-------------------|----------------------------|
/// | writing | `BlobStore.writer(for:)`    | grows             | growing                    |
/// | broken  | an error of `append`        | unlinked at once  | growing, until `abandon()` |
/// | ended   | `finish()`, `abandon()`     | published or gone | complete or failed         |
package final class BlobWriter: Sendable {
    /// Reserved first for a file of unknown size; doubled up to `stepMax` as it grows.
    static let firstStep: Int64 = 1 << 20
    private static let stepMax: Int64 = 64 << 20

    enum Phase: Sendable { case writing, broken, ended }

    /// The first bytes of a blob as they came before, unverified.
    package struct Prefix: Sendable {
        package let count: Int64
        package let digest: Digest
    }

    struct State: ~Copyable {
        var hash: StreamingHash
        var written: Int64 = 0
        var total: Int64?
        var phase = Phase.writing
        /// Those still to come, shortest first.
        var expected: [Prefix] = []
        /// What came in the place of an expected prefix.
        var wrong: StoreError?
        var isPublished = false
        /// Whether the index expects no file of this writer any more.
        var isSettled = false
        /// Whether the growing file could not be removed.
        var isStuck = false
        /// Whether the growing file is kept to be gone on with, and counted as that.
        var isLeft = false

        mutating func add(_ bytes: UnsafeRawBufferPointer) {
            var rest = bytes
            while let next = expected.first, next.count - written <= Int64(rest.count) {
                expected.removeFirst()
                let left = Int(max(0, next.count - written))
                hash.update(UnsafeRawBufferPointer(rebasing: rest[..<left]))
                rest = UnsafeRawBufferPointer(rebasing: rest[left...])
                written += Int64(left)
                let found = hash.digestSoFar()
                if found != next.digest { wrong = .mismatch(expected: next.digest, actual: found) }
            }
            hash.update(rest)
            written += Int64(rest.count)
        }
    }

    package var digest: Digest { name.digest }
    /// What is written so far, for all who read while it grows.
    package let file: GrowingFile

    /// How many bytes of an earlier run are in the file: first of all comes `rehash()`.
    package let leftover: Int64

    let store: BlobStore
    let name: GrowingName
    private let reservation: Reservation
    let state: Mutex<State>

    init(
        _ store: BlobStore, _ name: GrowingName, _ file: GrowingFile, _ total: Int64?,
        _ reservation: Reservation, leftover: Int64 = 0
    ) {
        self.leftover = leftover
        self.store = store
        self.name = name
        self.file = file
        self.reservation = reservation
        state = Mutex(State(hash: StreamingHash(name.digest.algorithm), total: total))
    }

    /// For a file that is whole: what a client pushed, hashed as it came.
    init(
        _ store: BlobStore, _ name: GrowingName, _ file: GrowingFile, _ reservation: Reservation,
        _ hash: HashState
    ) {
        leftover = 0
        self.store = store
        self.name = name
        self.file = file
        self.reservation = reservation
        state = Mutex(State(hash: hash.copy(), written: hash.count, total: hash.count))
    }

    deinit {
        // Dropped without an end, by a cancelled task: readers are cut, a worker unlinks later.
        guard state.withLock({ $0.phase }) != .ended else { return }
        file.fail()
        store.litter.withLock { $0.append(.init(name: name, reservation: reservation)) }
    }

    /// Bytes appended so far: where a resumed transfer goes on (UP-4).
    package var written: Int64 { file.progress.written }

    // MARK: - Writing

    /// Says how long the file will be, when the upstream told that late, and reserves the rest.
    ///
    /// Throws `.full` if that does not fit, `.wrongSize` if it contradicts what is known.
    package func announce(size: Int64) async throws(StoreError) {
        let known = state.withLock { (total: $0.total, written: $0.written) }
        if let total = known.total {
            if total == size { return }
            throw StoreError.wrongSize(expected: total, actual: size)
        }
        guard size >= known.written else {
            throw StoreError.wrongSize(expected: size, actual: known.written)
        }
        guard let bytes = SpaceLedger.charge(for: size) else { throw StoreError.full }
        let more = bytes - reservation.bytes
        if more > 0 { try await store.grow(reservation, by: more, for: digest) }
        state.withLock { $0.total = size }
        file.announce(total: size)
    }

    /// Says how the blob began when somebody was sent its beginning before; what begins otherwise
    /// is a mismatch, so that nobody completes that by the rest of another (INT-4).
    ///
    /// Before the first byte.
    package func expect(_ prefixes: [Prefix]) {
        state.withLock { $0.expected = prefixes.sorted { $0.count < $1.count } }
    }

    /// What is written so far, to be held against the next attempt.
    package func prefix() async -> Prefix {
        await store.workers.run {
            self.state.withLock { Prefix(count: $0.written, digest: $0.hash.digestSoFar()) }
        }
    }

    /// Where the file ends, for those who go on without it.
    package func hashSoFar() async -> HashState {
        await store.workers.run {
            self.state.withLock { HashState(count: $0.written, $0.hash.copy()) }
        }
    }

    /// Hashes and writes a chunk on a worker, then lets readers have it.
    ///
    /// `.full` when the reservation of a file of unknown size cannot grow: nothing is lost, what
    /// was appended before can still be read. After any other error the partial file is gone.
    /// `file` keeps growing in both cases, for the caller to decide how its readers go on, until
    /// `abandon()`.
    package func append(_ chunk: Chunk) async throws(StoreError) {
        let count = Int64(chunk.count)
        let end = try await admit(count)
        do throws(Errno) {
            try await store.workers.run { () throws(Errno) in
                try self.write(chunk, end - count)
            }
        } catch {
            await breakOff()
            store.report(.failed(error))
            throw StoreError(error)
        }
        try await show(upTo: end)
    }

    /// Lets readers have what was hashed, unless it is known to be wrong.
    func show(upTo end: Int64) async throws(StoreError) {
        reservation.noteWritten(upTo: end)
        if let wrong = state.withLock({ $0.wrong }) {
            await breakOff()
            throw wrong
        }
        file.extend(to: end)
    }

    /// Checks the length and the space of the next `count` bytes; gives where they will end.
    private func admit(_ count: Int64) async throws(StoreError) -> Int64 {
        let (phase, written, total) = state.withLock { ($0.phase, $0.written, $0.total) }
        guard phase == .writing, !store.isClosed else { throw StoreError.closed }
        let end = written + count
        if let total, end > total {
            await breakOff()
            throw StoreError.wrongSize(expected: total, actual: end)
        }
        guard let needed = SpaceLedger.charge(for: end) else { throw StoreError.full }
        let held = reservation.bytes
        if needed > held { try await widen(from: held, to: needed) }
        return end
    }

    private func widen(from held: Int64, to needed: Int64) async throws(StoreError) {
        let step = max(needed - held, min(held, Self.stepMax))
        do throws(StoreError) {
            try await store.grow(reservation, by: step, for: digest)
        } catch {
            guard error == .full, step > needed - held else { throw error }
            try await store.grow(reservation, by: needed - held, for: digest)
        }
    }

    private func write(_ chunk: Chunk, _ offset: Int64) throws(Errno) {
        try state.withLock { state throws(Errno) in
            try chunk.withBytes { bytes throws(Errno) in
                try System.pwriteAll(file.fd, bytes, at: offset)
                state.add(bytes)
            }
        }
    }

    // MARK: - Ending

    /// Compares the digest and commits; gives the size.
    ///
    /// `.mismatch` or `.wrongSize`: `file` has failed and nothing is kept. Other errors: nothing is
    /// kept either, but if `file` is complete its bytes are verified and its readers get all of
    /// them. Order: verify, let readers have the end, fdatasync, rename, fsync of the directory,
    /// index (DUR-1); nothing is tried twice (DUR-2). `ifWrong` is called before readers are cut so
    /// that whoever comes back for the rest is known to have wrong bytes (INT-4).
    package func finish(
        ifWrong: @Sendable () -> Void = {}
    ) async throws(StoreError) -> Int64 {
        guard state.withLock({ $0.phase }) == .writing else {
            await abandon()
            throw StoreError.closed
        }
        store.commits.begin()
        defer { store.commits.end() }
        do throws(StoreError) {
            let size = try await verify()
            try await commit(size)
            await end()
            return size
        } catch {
            switch error {
            case .mismatch, .wrongSize:
                store.report(.mismatch(digest))
                ifWrong()
            default: break
            }
            if case .io(let errno) = error { store.report(.failed(errno)) }
            file.fail()
            await remove()
            await end()
            throw error
        }
    }

    /// Gives up: readers are cut, the partial file is unlinked, its space is free.
    ///
    /// Harmless after the end.
    package func abandon() async {
        let phase = state.withLock { $0.phase }
        if phase == .ended { return }
        file.fail()
        if phase == .writing { await remove() }
        await end()
    }

    func breakOff() async {
        let wasWriting = state.withLock { state in
            defer { if state.phase == .writing { state.phase = .broken } }
            return state.phase == .writing
        }
        if wasWriting { await remove() }
    }

    func remove() async {
        let name = self.name
        await remove { layout throws(Errno) in try layout.unlinkGrowing(name) }
    }

    func remove(
        _ unlink: @escaping @Sendable (StoreLayout) throws(Errno) -> Void
    ) async {
        // What was not brought to its end is for the next run to go on with.
        if store.isClosed { return }
        do throws(StoreError) {
            try await store.run(unlink)
        } catch {
            if case .io(let errno) = error { store.report(.failed(errno)) }
            state.withLock { $0.isStuck = true }
        }
    }

    func end() async {
        let (isPublished, isSettled, isStuck, isLeft) = state.withLock { state in
            state.phase = .ended
            return (state.isPublished, state.isSettled, state.isStuck, state.isLeft)
        }
        store.ledger.setDirectories(store.layout.directoryBytes)
        // Still there, and still counted, until the next start looks at it again.
        if isStuck { store.ledger.noteStray(digest, disk: reservation.bytes) }
        if isLeft {
            reservation.release()
        } else if !isPublished, !isStuck, file.readers > 0 {
            // Unlinked, but its space is taken until the last reader has left.
            file.hold(reservation)
        } else {
            if !isPublished { store.ledger.noteUnlinked(reservation.written) }
            reservation.release()
        }
        store.files.removeGrowing(name)
        store.files.removeWriter(digest)
        if !isSettled, !isStuck, !isLeft { await store.settleUnwritten([digest]) }
    }
}
