import OCI
package import Reactor
import Store
import Synchronization
import Upstream

/// A blob on its way to one client without being kept, because there is no room for it.
///
/// Verified like any other: the last chunk is held back until the digest agrees (INT-1), and a
/// client that stops reading pauses the transfer (RES-8).
package actor VerifiedStream {
    private let body: any UpstreamBody
    private let content: Content
    private let digest: Digest
    private let proxy: String
    private let registry: String
    /// Nil once the digest is compared; updated by workers, one chunk at a time.
    private let hash: Mutex<StreamingHash?>
    private var isOver = false
    private var held: Chunk?
    private var received: Int64 = 0
    /// The size that the upstream announced.
    package nonisolated let size: Int64?

    static func open(
        _ source: BlobFetch.Source, _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> VerifiedStream {
        let response: UpstreamResponse
        do throws(UpstreamError) {
            response = try await source.upstream.send(UpstreamRequest(.get, .blob(name, digest)))
        } catch {
            throw error.registryError(of: source.registry)
        }
        guard response.status == 200 else {
            response.body.cancel()
            throw response.registryError(of: source.registry)
        }
        return VerifiedStream(response, source, digest)
    }

    private init(_ response: UpstreamResponse, _ source: BlobFetch.Source, _ digest: Digest) {
        body = response.body
        size = response.contentLength
        content = source.content
        proxy = source.proxy
        registry = source.registry
        self.digest = digest
        hash = Mutex(StreamingHash(digest.algorithm))
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        content.loop.asUnownedSerialExecutor()
    }

    /// The next verified bytes, nil after the last; throws when the body must be cut short.
    package func next() async throws(RegistryError) -> Chunk? {
        while true {
            let chunk = try await receive()
            let ready = held
            held = chunk
            guard chunk != nil else {
                try await verify()
                return ready
            }
            if let ready { return ready }
        }
    }

    /// Gives the transfer up: the client is gone.
    package nonisolated func cancel() {
        body.cancel()
    }

    private func receive() async throws(RegistryError) -> Chunk? {
        if isOver { return nil }
        do throws(UpstreamError) {
            guard let chunk = try await body.next() else { return nil }
            received += Int64(chunk.count)
            await content.workers.run { [self] in
                hash.withLock { hash in chunk.withBytes { hash?.update($0) } }
            }
            return chunk
        } catch {
            throw error.registryError(of: registry)
        }
    }

    private func verify() async throws(RegistryError) {
        if isOver { return }
        isOver = true
        let computed = hash.withLock { hash in
            var hash = hash.take()
            return hash?.finalize()
        }
        let isRight = computed == digest && (size ?? received) == received
        guard !isRight else {
            content.events.verified(proxy, true)
            return
        }
        content.noteMismatch(digest, from: proxy)
        throw .corrupt(registry: registry, "the blob does not match its digest")
    }
}
