package import Index
import Linux
package import OCI
package import Reactor
import Synchronization

/// Bytes that a client pushes, piece by piece; what their digest is to be comes at the end.
///
/// One request at a time appends or finishes, as `take` sees to. Between requests, and after a
/// restart, the file waits for the next.
package final class Upload: Sendable {
    private static let firstStep: Int64 = 1 << 20
    private static let stepMax: Int64 = 64 << 20

    private struct State: ~Copyable {
        var hash: StreamingHash
        var written: Int64
        var isTaken = false
        var isOver = false
    }

    package let id: UploadID
    /// Whose it is.
    package let row: UploadRow
    private let store: BlobStore
    private let file: GrowingFile
    private let reservation: Reservation
    private let state: Mutex<State>

    init(
        _ id: UploadID, _ row: UploadRow, _ store: BlobStore, _ file: GrowingFile,
        _ reservation: Reservation, _ hash: HashState
    ) {
        self.id = id
        self.row = row
        self.store = store
        self.file = file
        self.reservation = reservation
        state = Mutex(State(hash: hash.copy(), written: hash.count))
    }

    /// Bytes received so far.
    package var written: Int64 { state.withLock { $0.written } }

    /// Takes the upload for one request; false if another one has it, or it has ended.
    package func take() -> Bool {
        state.withLock { state in
            if state.isTaken || state.isOver { return false }
            state.isTaken = true
            return true
        }
    }

    /// Lets the next request have it.
    package func giveBack() {
        store.uploads.use(id, at: store.clock.wallSeconds)
        state.withLock { $0.isTaken = false }
    }

    /// Hashes and writes a chunk on a worker; the disk was reserved before.
    ///
    /// `.full` if it does not fit: what was received before is still there.
    package func append(_ chunk: Chunk) async throws(StoreError) {
        if chunk.count == 0 { return }
        guard !store.isClosed else { throw .closed }
        let (offset, isOver) = state.withLock { ($0.written, $0.isOver) }
        guard !isOver else { throw .closed }
        let end = offset + Int64(chunk.count)
        guard let needed = SpaceLedger.charge(for: end) else { throw .full }
        let held = reservation.bytes
        if needed > held { try await widen(by: needed - held, from: held) }
        do throws(Errno) {
            try await store.workers.run { () throws(Errno) in try self.write(chunk, offset) }
        } catch {
            store.report(.failed(error))
            throw StoreError(error)
        }
        reservation.noteWritten(upTo: end)
    }

    private func widen(by missing: Int64, from held: Int64) async throws(StoreError) {
        let step = max(missing, Self.firstStep, min(held, Self.stepMax))
        do throws(StoreError) {
            try await store.grow(reservation, by: step, for: nil)
        } catch {
            guard error == .full, step > missing else { throw error }
            try await store.grow(reservation, by: missing, for: nil)
        }
    }

    private func write(_ chunk: Chunk, _ offset: Int64) throws(Errno) {
        try state.withLock { state throws(Errno) in
            try chunk.withBytes { bytes throws(Errno) in
                try System.pwriteAll(file.fd, bytes, at: offset)
                state.hash.update(bytes)
                state.written += Int64(bytes.count)
            }
        }
    }

    /// Stores what was received as `digest`; gives its size, and the upload is over.
    ///
    /// `.mismatch` if its bytes are others; then nothing is kept, and the upload is over too.
    package func finish(as digest: Digest) async throws(StoreError) -> Int64 {
        let hash = try await hashed(by: digest.algorithm)
        state.withLock { $0.isOver = true }
        defer { store.uploads.remove(id) }
        do throws(StoreError) {
            let actual = hash.copy().digestSoFar()
            guard actual == digest else {
                store.report(.mismatch(digest))
                throw StoreError.mismatch(expected: digest, actual: actual)
            }
            let writer = try await store.writer(
                taking: id, as: digest, file, reservation, hash)
            let size = try await writer.finish()
            try? await store.index.endUpload(row.id)
            return size
        } catch {
            await discard()
            throw error
        }
    }

    /// What was received, hashed by `algorithm`; read again if it was hashed by another one.
    private func hashed(by algorithm: Digest.Algorithm) async throws(StoreError) -> HashState {
        guard algorithm == row.algorithm else { return try await store.hash(file, algorithm) }
        return state.withLock { HashState(count: $0.written, $0.hash.copy()) }
    }

    /// Ends the upload; nothing of it is kept.
    package func cancel() async {
        state.withLock { $0.isOver = true }
        store.uploads.remove(id)
        await discard()
    }

    private func discard() async {
        let id = self.id
        do throws(StoreError) {
            try await store.run { layout throws(Errno) in try layout.unlinkUpload(id) }
            reservation.release()
            try await store.indexed { index throws(IndexError) in try await index.endUpload(row.id)
            }
        } catch {
            // The next start removes what is left.
            if case .io(let errno) = error { store.report(.failed(errno)) }
        }
    }
}
