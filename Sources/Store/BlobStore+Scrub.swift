import Glibc
import Index
import Linux
package import OCI
import Reactor
import Synchronization

/// What verifying one stored object found.
package enum ScrubResult: String, CaseIterable, Sendable {
    case ok, damaged, missing
    /// Not stored any more, or it could not be looked at now.
    case skipped
}

/// Reading everything again from time to time, so that rot is found before somebody needs the
/// bytes.
extension BlobStore {
    /// Whether the disk is wanted for somebody: a body is being sent, or one is being stored.
    package var isInUse: Bool { files.isInUse }

    /// Hashed between two calls of `pace`.
    private static let scrubSlice = 1 << 20

    /// Reads and hashes the file of `digest`; what is damaged is gone afterwards.
    ///
    /// No use in the sense of recency, and no reader in the sense of eviction: a file that is
    /// evicted meanwhile is skipped. `pace` is called after each piece with its bytes, to wait as
    /// long as others need the disk.
    package func scrub(
        _ digest: Digest, pace: (Int) async -> Void
    ) async -> ScrubResult {
        guard let row = try? index.blob(digest) else { return .skipped }
        let scan: Scrubbing
        do throws(StoreError) {
            switch try await run({ layout throws(Errno) in try Scrubbing.open(digest, layout) }) {
            case .success(let opened): scan = opened
            case .failure(let damage):
                await forget(digest, size: row.size, damage)
                return damage == .missing ? .missing : .damaged
            }
        } catch {
            return .skipped
        }
        let damage: Damage?
        do throws(StoreError) {
            while let count = try await runLong({ _ throws(Errno) in
                try scan.advance(Self.scrubSlice)
            }) {
                await pace(count)
            }
            damage = await workers.run { scan.isRight } ? nil : .content
        } catch {
            if case .io(let error) = error, error.isShortage { return .skipped }
            damage = .unreadable
        }
        guard let damage else { return await noteVerified(digest, scan.identity) }
        // Gone, replaced or touched while it was read: this says nothing about what is there now.
        guard (try? index.blob(digest)) != .some(nil) else { return .skipped }
        await dispose(scan.identity, of: digest, damage)
        return .damaged
    }

    private func noteVerified(_ digest: Digest, _ identity: FileIdentity) async -> ScrubResult {
        let now = await workers.run { [layout] in
            (try? layout.status(digest)).map { FileIdentity($0) }
        }
        if now == identity { verified.insert(digest, identity) }
        try? await index.noteVerified(digest, at: clock.wallSeconds)
        return .ok
    }
}

/// One file being read by the scrub, by one job after another.
private final class Scrubbing: Sendable {
    private struct State: ~Copyable {
        var hash: StreamingHash
        var offset: Int64 = 0
    }

    private let digest: Digest
    private let file: FileDescriptor
    private let state: Mutex<State>
    let identity: FileIdentity

    static func open(
        _ digest: Digest, _ layout: StoreLayout
    ) throws(Errno) -> Result<Scrubbing, Damage> {
        do throws(Errno) {
            let file = try layout.open(digest)
            let status = try System.fstat(file.raw)
            guard status.st_mode & S_IFMT == S_IFREG else { return .failure(.unreadable) }
            return .success(Scrubbing(digest, file, FileIdentity(status)))
        } catch {
            if error.isMissing { return .failure(.missing) }
            if error.isShortage { throw error }
            return .failure(.unreadable)
        }
    }

    private init(
        _ digest: Digest, _ file: consuming FileDescriptor, _ identity: FileIdentity
    ) {
        self.digest = digest
        self.file = file
        self.identity = identity
        state = Mutex(State(hash: StreamingHash(digest.algorithm)))
    }

    /// Hashes up to `count` bytes and says how many; nil at the end.
    ///
    /// What was not in memory before is not kept there: it would push out what clients read.
    func advance(_ count: Int) throws(Errno) -> Int? {
        try state.withLock { state throws(Errno) in
            let start = state.offset
            let end = min(start + Int64(count), identity.size)
            let wasResident = System.isResident(file.raw, start, end)
            _ = try state.hash.update(from: file.raw, at: &state.offset, count: count)
            if !wasResident { System.forget(file.raw, start, state.offset) }
            return state.offset > start ? Int(state.offset - start) : nil
        }
    }

    /// Whether the bytes are those of the digest; once, at the end.
    var isRight: Bool { state.withLock { $0.hash.finalize() == digest } }
}
