import OCI
import Reactor

/// Which blobs are at the destination, as far as this run knows, and which are on their way there:
/// a layer that many images share goes out once.
actor BlobLedger {
    /// What is remembered; beyond it everything is forgotten, which costs a HEAD each.
    private static let entriesMax = 200_000

    private struct Place: Hashable {
        let name: RepositoryName
        let digest: Digest
    }

    private let loop: EventLoop
    private var known: Set<Place> = []
    /// A name from which the blob can be mounted.
    private var somewhere: [Digest: RepositoryName] = [:]
    /// Digests that somebody works on, with those who wait for it.
    private var busy: [Digest: [UnsafeContinuation<Void, Never>]] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ loop: EventLoop) {
        self.loop = loop
    }

    func isKnown(_ digest: Digest, in name: RepositoryName) -> Bool {
        known.contains(Place(name: name, digest: digest))
    }

    /// Where else it is.
    func origin(of digest: Digest, besides name: RepositoryName) -> RepositoryName? {
        somewhere[digest].flatMap { $0 == name ? nil : $0 }
    }

    func note(_ digest: Digest, in name: RepositoryName) {
        if known.count >= Self.entriesMax {
            known = []
            somewhere = [:]
        }
        known.insert(Place(name: name, digest: digest))
        if somewhere[digest] == nil { somewhere[digest] = name }
    }

    /// It was not there after all.
    func forget(origin digest: Digest) {
        somewhere[digest] = nil
    }

    /// Does `body` while nobody else works on this digest.
    nonisolated func alone<T>(
        with digest: Digest, _ body: () async throws(CopyFailure) -> T
    ) async throws(CopyFailure) -> T {
        await take(digest)
        do throws(CopyFailure) {
            let value = try await body()
            await giveBack(digest)
            return value
        } catch {
            await giveBack(digest)
            throw error
        }
    }

    private func take(_ digest: Digest) async {
        guard busy[digest] != nil else {
            busy[digest] = []
            return
        }
        await withUnsafeContinuation { busy[digest, default: []].append($0) }
    }

    private func giveBack(_ digest: Digest) {
        guard var waiting = busy[digest], !waiting.isEmpty else {
            busy[digest] = nil
            return
        }
        let next = waiting.removeFirst()
        busy[digest] = waiting
        next.resume()
    }
}
