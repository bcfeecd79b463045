import Linux
package import OCI
package import Reactor
import Synchronization

/// Hashes a stored file while its readers are sent what is hashed already (INT-9).
///
/// They tail it as they would a fetch: the end of every body waits for the digest, all of them
/// share the one reading, and none waits for another. Whoever got it from `find` runs it, once.
package final class Verification: Sendable {
    /// Hashed per job, so that jobs of others come in between.
    static let sliceBytes = 1 << 20
    /// How often a file that is touched while it is read is read again.
    private static let attemptsMax = 3

    private struct State: ~Copyable {
        var hash: StreamingHash
        var offset: Int64 = 0
    }

    package let digest: Digest
    /// Growing until the digest is compared, then complete or failed.
    package let file: GrowingFile
    private let size: Int64
    private let store: BlobStore
    private let state: Mutex<State>

    init(_ store: BlobStore, _ digest: Digest, _ file: GrowingFile, size: Int64) {
        self.store = store
        self.digest = digest
        self.file = file
        self.size = size
        state = Mutex(State(hash: StreamingHash(digest.algorithm)))
    }

    /// Compares the digest; true if it agrees, else the file is gone from the store afterwards.
    ///
    /// `ifWrong` is called before readers are cut, so that whoever comes back for the rest is known
    /// to have wrong bytes (INT-4).
    @discardableResult
    package func run(ifWrong: @Sendable () -> Void = {}) async -> Bool {
        for _ in 0..<Self.attemptsMax {
            switch await attempt() {
            case .right(let identity):
                store.verified.insert(digest, identity)
                file.identify(as: identity)
                file.complete()
                return true
            case .touched: continue
            case .undecided:
                store.files.drop(digest, file)
                file.fail()
                return false
            case .wrong(let damage):
                return await drop(damage, ifWrong)
            }
        }
        // Somebody writes to it all the time: whatever it is then, it is not ours.
        return await drop(.content, ifWrong)
    }

    private func drop(_ damage: Damage, _ ifWrong: @Sendable () -> Void) async -> Bool {
        ifWrong()
        file.fail()
        await store.dispose(file, of: digest, damage)
        return false
    }

    private enum Outcome {
        case right(FileIdentity)
        case wrong(Damage)
        /// The bytes are right, but the file was changed while it was read.
        case touched
        /// The process lacks something, which says nothing about the file.
        case undecided
    }

    private func attempt() async -> Outcome {
        do throws(StoreError) {
            let before = try await identity()
            guard before.size == size else { return .wrong(.size) }
            while try await advance() {}
            let (digest, offset) = await store.workers.run { [self] in
                state.withLock { state in
                    defer { state = State(hash: StreamingHash(self.digest.algorithm)) }
                    return (state.hash.finalize(), state.offset)
                }
            }
            guard offset == size else { return .wrong(.size) }
            guard digest == self.digest else { return .wrong(.content) }
            return try await identity() == before ? .right(before) : .touched
        } catch {
            if case .io(let error) = error, error.isShortage { return .undecided }
            return .wrong(.unreadable)
        }
    }

    private func identity() async throws(StoreError) -> FileIdentity {
        try await store.run { [file] _ throws(Errno) in
            FileIdentity(try System.fstat(file.fd))
        }
    }

    /// Hashes a slice and lets readers have it; false at the end.
    private func advance() async throws(StoreError) -> Bool {
        let (offset, isOver) = try await store.runLong { [self] _ throws(Errno) in
            try state.withLock { state throws(Errno) in
                let isOver = try state.hash.update(
                    from: file.fd, at: &state.offset, count: Self.sliceBytes)
                return (state.offset, isOver)
            }
        }
        file.extend(to: min(offset, size))
        return !isOver && offset <= size
    }
}

extension StreamingHash {
    /// Adds up to `count` bytes of a file from `offset` on, and moves that; true at its end.
    mutating func update(
        from fd: Int32, at offset: inout Int64, count: Int
    ) throws(Errno) -> Bool {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)
        defer { buffer.deallocate() }
        var left = count
        while left > 0 {
            let read = try System.pread(fd, buffer, at: offset)
            if read == 0 { return true }
            update(UnsafeRawBufferPointer(rebasing: buffer[..<read]))
            offset += Int64(read)
            left -= read
        }
        return false
    }
}
