import Glibc
import Index
import Linux
import OCI
import Reactor
import Store
import Synchronization
import Telemetry

/// Stored bytes: each is verified while it is served, once per run, and what is damaged is fetched
/// again (INT-9, INT-10).
extension Content {
    // MARK: - Blobs

    /// The stored file of `digest`; a large one may still be verified while it is sent.
    ///
    /// What is small is verified first, so that a damaged one is simply not here (INT-2).
    func open(_ digest: Digest) async -> GrowingFile? {
        for _ in 0..<Self.opensMax {
            guard let found = await store.find(digest) else { return nil }
            if let verification = found.verification { start(verification) }
            if found.file.progress.phase == .complete { return found.file }
            let size = found.file.progress.total ?? .max
            if size > ProxyPolicy.verifiedFirstBytesMax { return found.file }
            if await found.file.progress(beyond: .max).phase == .complete { return found.file }
        }
        return nil
    }

    /// How often a file that proves damaged is looked for again: it is gone the next time.
    private static let opensMax = 4

    private func start(_ verification: Verification) {
        loop.spawn { [self] in
            let digest = verification.digest
            let isManifest = stored(digest) != nil
            let isRight = await verification.run {
                noteMismatch(digest, from: nil)
            }
            if isRight {
                events.verified(nil, true)
            } else {
                heal(digest, isManifest: isManifest)
            }
        }
    }

    /// Says that a blob could not be sent to its end, though its client was there (INT-9).
    package func couldNotSend(_ blob: BlobAnswer) {
        guard case .file(let file) = blob.content else { return }
        couldNotSend(file, of: blob.digest)
    }

    /// Looks again at a complete file that could not be sent to its end: it was cut or changed
    /// under our feet, or the disk does not give it.
    func couldNotSend(_ file: GrowingFile, of digest: Digest) {
        guard case .complete = file.progress.phase else { return }
        // Some of what was sent may be wrong already (INT-4).
        noteMismatch(digest, from: nil)
        store.distrust(file, of: digest)
        loop.spawn { [self] in
            let isManifest = stored(digest) != nil
            if await store.open(digest) == nil { heal(digest, isManifest: isManifest) }
        }
    }

    /// Fetches again what was dropped, whether or not somebody asks for it.
    func heal(_ digest: Digest, isManifest: Bool) {
        manifests.withLock { $0.remove(digest) }
        loop.spawn { [healing] in await healing.heal(digest, isManifest: isManifest) }
    }

    // MARK: - What was found a moment ago

    /// The manifest of an answer that was given when the index was at `epoch`, if the same look-ups
    /// would find the same now.
    func hotManifest(_ digest: Digest, since epoch: UInt64) -> StoredManifest? {
        guard index.epoch == epoch, let hot = manifests.withLock({ $0.use(digest) })
        else { return nil }
        store.markUsed(digest)
        return hot
    }

    // MARK: - Manifests

    /// The stored manifest of `digest`, from memory if it is hot, else read and verified once.
    func manifest(_ digest: Digest) async -> StoredManifest? {
        if let hot = manifests.withLock({ $0.use(digest) }) {
            store.markUsed(digest)
            return hot
        }
        // Opened first: a file that a lost index knew is taken in again by that.
        guard let file = await open(digest), let row = stored(digest) else { return nil }
        guard let bytes = await read(file, digest) else {
            // Changed since it was verified, a moment ago.
            store.distrust(file, of: digest)
            return nil
        }
        let manifest = StoredManifest(digest: digest, mediaType: row.mediaType, bytes: bytes)
        remember(manifest)
        store.markUsed(digest)
        return manifest
    }

    func stored(_ digest: Digest) -> ManifestRow? {
        do throws(IndexError) {
            return try index.manifest(digest)
        } catch {
            logger.log(.error, "index", ["error": .string("\(error)")])
            return nil
        }
    }

    /// Reads a whole small file on a worker and checks what is in memory now against its digest.
    private func read(_ file: GrowingFile, _ digest: Digest) async -> [UInt8]? {
        await workers.run { () -> [UInt8]? in
            let size = Int(file.progress.written)
            var bytes = [UInt8](repeating: 0, count: size)
            var done = 0
            while done < size {
                let count = bytes.withUnsafeMutableBytes { buffer -> Int in
                    let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
                    return (try? System.pread(file.fd, rest, at: Int64(done))) ?? 0
                }
                if count == 0 { return nil }
                done += count
            }
            return StreamingHash.digest(of: bytes, digest.algorithm) == digest ? bytes : nil
        }
    }

    func remember(_ manifest: StoredManifest) {
        manifests.withLock {
            $0.insert(manifest, for: manifest.digest, cost: manifest.bytes.count + 256)
        }
    }
}
