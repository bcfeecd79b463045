import OCI
package import Reactor
import Store
import Synchronization
import Upstream

/// A blob on its way to one client without being kept, because there is no room for it.
///
/// Verified like any other: the last chunk is held back until the digest agrees (INT-1), and a
/// client that stops reading pauses the transfer (RES-8).
package actor VerifiedStream: ChunkStream {
    private let body: any UpstreamBody
    private let content: Content
    private let digest: Digest
    private let proxy: String
    private let registry: String
    /// Nil once the digest is compared; updated by workers, one chunk at a time.
    private let hash: Mutex<StreamingHash?>
    private var isOver = false
    private var held: Chunk?
    private var received: Int64
    /// What the upstream repeats, since it did not hear from where to go on.
    private var skip: Int64
    /// Verified and not taken yet: what was received before anybody asked.
    private var verified: [Chunk] = []
    /// The size that the upstream or a manifest announced.
    package nonisolated let size: Int64?
    private let bytesMax: Int64

    /// Opens the blob; a small one is received and verified before anybody hears of it (INT-2).
    static func open(
        _ source: BlobFetch.Source, _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> VerifiedStream {
        let stream = try await begin(source, name, digest)
        guard let size = stream.size, size <= ProxyPolicy.verifiedFirstBytesMax else {
            return stream
        }
        do throws(RegistryError) {
            try await stream.receiveAll()
            return stream
        } catch .corrupt {
            let second = try await begin(source, name, digest)
            try await second.receiveAll()
            return second
        }
    }

    private static func begin(
        _ source: BlobFetch.Source, _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> VerifiedStream {
        let response = try await source.ask(name, digest, isPassThrough: true)
        let size = try source.expectedSize(response, name, digest)
        return VerifiedStream(response, source, digest, size)
    }

    /// Opens the rest of a blob whose beginning `start` has hashed.
    static func open(
        _ source: BlobFetch.Source, _ name: RepositoryName, _ digest: Digest,
        after start: HashState, size: Int64?
    ) async throws(RegistryError) -> VerifiedStream {
        var request = UpstreamRequest(.get, .blob(name, digest), offset: start.count)
        request.isPassThrough = true
        let response = try await source.send(request)
        let isWhole = response.status == 200
        let isRest =
            response.status == 206 && response.contentRange?.first == start.count
            && (size == nil || response.contentRange?.total ?? size == size)
        guard isWhole || isRest else {
            response.body.cancel()
            throw response.registryError(of: source.registry)
        }
        return VerifiedStream(
            response, source, digest, size, after: start, skip: isWhole ? start.count : 0)
    }

    private init(
        _ response: UpstreamResponse, _ source: BlobFetch.Source, _ digest: Digest, _ size: Int64?,
        after start: HashState? = nil, skip: Int64 = 0
    ) {
        body = response.body
        self.size = size
        bytesMax = size ?? source.policy.blobBytesMax
        content = source.content
        proxy = source.proxy
        registry = source.registry
        self.digest = digest
        received = start?.count ?? 0
        self.skip = skip
        hash = Mutex(start?.copy() ?? StreamingHash(digest.algorithm))
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        content.loop.asUnownedSerialExecutor()
    }

    /// The next verified bytes, nil after the last; throws when the body must be cut short.
    package func next() async throws(RegistryError) -> Chunk? {
        if !verified.isEmpty { return verified.removeFirst() }
        while true {
            let chunk = try await receive()
            // What is held back must be the end: nothing is none.
            if chunk?.count == 0 { continue }
            let ready = held
            held = chunk
            guard chunk != nil else {
                try await verify()
                return ready
            }
            if let ready { return ready }
        }
    }

    private func receiveAll() async throws(RegistryError) {
        var received: [Chunk] = []
        while let chunk = try await next() { received.append(chunk) }
        verified = received
    }

    /// Gives the transfer up: the client is gone.
    package nonisolated func cancel() {
        body.cancel()
    }

    private func receive() async throws(RegistryError) -> Chunk? {
        if isOver { return nil }
        let next: Chunk?
        do throws(UpstreamError) {
            next = try await body.next()
        } catch {
            throw error.registryError(of: registry)
        }
        guard let chunk = next else { return nil }
        if skip > 0 {
            let repeated = min(skip, Int64(chunk.count))
            chunk.dropFirst(Int(repeated))
            skip -= repeated
        }
        received += Int64(chunk.count)
        guard received <= bytesMax else {
            isOver = true
            body.cancel()
            content.noteMismatch(digest, from: proxy)
            throw .corrupt(registry: registry, "more bytes than announced")
        }
        await content.workers.run { [self] in
            hash.withLock { hash in chunk.withBytes { hash?.update($0) } }
        }
        return chunk
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
