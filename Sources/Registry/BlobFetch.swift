import OCI
import Reactor
import Store
import Telemetry
import Upstream

/// The one transfer of a cold blob: receives, hashes, writes and resumes; clients only look on.
///
/// | step        | until                               | clients get                           |
/// |-------------|-------------------------------------|---------------------------------------|
/// | asking      | the upstream's headers              | nothing, or an error status           |
/// | opening     | space is reserved                   | nothing                               |
/// | receiving   | the last byte (resuming, UP-4)      | bytes as they are written             |
/// | verifying   | the digest is compared              | all but the end                       |
/// | committing  | file, directory and index are safe  | the end                               |
///
/// Blobs of up to 256 KiB are shown to clients only after verifying (INT-2).
actor BlobFetch {
    /// What clients may read from.
    enum Opened: Sendable {
        case file(GrowingFile, size: Int64?)
        /// Nothing more fits on the disk: every client needs a transfer of its own (RES-9).
        case noRoom
    }

    struct Source: Sendable {
        let scope: Scope
        let registry: String
        let policy: ProxyPolicy
        let upstream: any UpstreamClient
        let content: Content

        /// The repository's name, for logs and metrics.
        var proxy: String { scope.repository }
    }

    enum End {
        case committed
        case failed(RegistryError)
        case mismatch
        case noRoom

        /// Whether the upstream sent something else than was asked for.
        var isWrongBytes: Bool {
            switch self {
            case .mismatch, .failed(.corrupt): true
            default: false
            }
        }
    }

    let opened = Promise<Fetched<Opened>>()
    let source: Source
    let name: RepositoryName
    let digest: Digest
    private var idleSince: Instant?
    /// `Cache-Status` of the answer: what caches further up did.
    var parent: String?
    /// Names besides its own that may show the blob when it is proved.
    private var names: [RepositoryName] = []
    private var isLinked = false

    init(_ source: Source, _ name: RepositoryName, _ digest: Digest) {
        self.source = source
        self.name = name
        self.digest = digest
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        source.content.loop.asUnownedSerialExecutor()
    }

    /// Whether it has nothing for anybody who joins now.
    nonisolated var hasFailed: Bool {
        switch opened.current {
        case .failure: true
        case .success(.file(let file, _)): file.progress.phase == .failed
        case .success(.noRoom), nil: false
        }
    }

    /// Whether its file lies in the store, or is about to: who joins now is given that one.
    nonisolated var isPublished: Bool {
        guard case .success(.file(let file, _)) = opened.current else { return false }
        return file.isPublished
    }

    /// Runs the fetch to its end, whoever still listens (UP-3).
    func run() async {
        var end = await transfer()
        if end.isWrongBytes, opened.current == nil {
            // Nobody has seen a byte: the upstream, or the next one, gets a second chance (INT-2).
            end = await transfer(after: 1)
        }
        switch end {
        case .committed: break
        case .noRoom: opened.fulfil(.success(.noRoom))
        case .failed(let error): opened.fulfil(.failure(error))
        case .mismatch:
            opened.fulfil(
                .failure(.corrupt(registry: source.registry, "the blob does not match its digest")))
        }
    }

    private func transfer(after mismatches: Int = 0) async -> End {
        if source.content.hasOutgrown(digest) { return .noRoom }
        do throws(RegistryError) {
            if let offset = source.content.store.leftover(of: digest) {
                if let end = try await goOn(from: offset) { return end }
                // Not what the upstream has: from the beginning then.
                await source.content.store.dropLeftover(of: digest)
            }
            let response = try await source.ask(name, digest, after: mismatches)
            let size = try source.expectedSize(response, name, digest)
            parent = response.cacheStatus
            let writer: BlobWriter
            do throws(StoreError) {
                writer = try await source.content.store.writer(for: digest, size: size)
            } catch {
                response.body.cancel()
                return unkept(error)
            }
            writer.expect(source.content.shown(digest))
            if let size, size > ProxyPolicy.verifiedFirstBytesMax {
                opened.fulfil(.success(.file(writer.file, size: size)))
            }
            return await receive(response, into: writer, size: size)
        } catch {
            return .failed(error)
        }
    }

    /// Storing failed: the pull goes on without being kept.
    func unkept(_ error: StoreError) -> End {
        source.content.logger.log(
            .warn, "not kept",
            [
                "repo": .string(source.proxy), "digest": .string("\(digest)"),
                "cause": .string("\(error)"),
            ])
        return .noRoom
    }

    // MARK: - Names

    /// Somebody joined under another name, and the upstream says that this one has the blob, too.
    func share(with name: RepositoryName) async {
        if isLinked {
            await source.content.link(source.scope, name, digest)
        } else {
            names.append(name)
        }
    }

    private func link() async {
        isLinked = true
        for name in [name] + names { await source.content.link(source.scope, name, digest) }
    }

    // MARK: - Receiving

    func receive(
        _ response: UpstreamResponse, into writer: BlobWriter, size: Int64?, skip: Int64 = 0
    ) async -> End {
        do throws(TransferError) {
            do throws(StoreError) {
                try await writer.rehash()
            } catch {
                response.body.cancel()
                throw .store(error)
            }
            try await receiveAll(response, into: writer, size: size, skip: skip)
        } catch {
            await noteShown(by: writer, error)
            await passOn(writer, error, size)
            switch error {
            // Nobody has failed: it goes on when the proxy is online again.
            case .registry(let error) where error.isOffline: await writer.leave()
            default: await writer.abandon()
            }
            switch error {
            case .registry(let error): return .failed(error)
            case .store(.mismatch): return mismatched()
            case .store(let error): return unkept(error)
            }
        }
        do throws(StoreError) {
            _ = try await writer.finish { [source, digest] in
                source.content.noteMismatch(digest, from: source.proxy)
            }
            source.content.events.verified(source.proxy, true)
            source.content.forgetShown(digest)
            // Not before its bytes are proved: a status alone would be a right to what others have.
            await link()
            opened.fulfil(.success(.file(writer.file, size: writer.file.progress.written)))
            return .committed
        } catch {
            switch error {
            case .mismatch, .wrongSize: return mismatched()
            default: break
            }
            if case .complete = writer.file.progress.phase {
                // Verified, but not made lasting: whoever reads it may finish.
                opened.fulfil(.success(.file(writer.file, size: writer.file.progress.written)))
            }
            return unkept(error)
        }
    }

    /// Without the store readers go on from where the file ends, each by a transfer of its own and
    /// no less verified (DUR-6, RES-9).
    private func passOn(_ writer: BlobWriter, _ error: TransferError, _ size: Int64?) async {
        guard case .store(let cause) = error, opened.current != nil, writer.written > 0 else {
            return
        }
        switch cause {
        case .mismatch, .wrongSize: return
        default: break
        }
        let start = await writer.hashSoFar()
        // Not `self`, which holds the file: both would stay for ever, and with them its space.
        writer.file.fail(continuing: Self.rest(source, name, digest, after: start, size: size))
    }

    private static func rest(
        _ source: Source, _ name: RepositoryName, _ digest: Digest, after start: HashState,
        size: Int64?
    ) -> GrowingFile.Continuation {
        .init(offset: start.count) {
            try await VerifiedStream.open(source, name, digest, after: start, size: size)
        }
    }

    /// What readers have of a body that ends here unverified must not be completed by the rest of
    /// another one (INT-4).
    private func noteShown(by writer: BlobWriter, _ error: TransferError) async {
        switch error {
        case .registry(.corrupt), .store(.mismatch):
            // It may be as wrong as what came after it.
            source.content.noteMismatch(digest, from: source.proxy)
        default:
            guard opened.current != nil, writer.written > 0 else { return }
            source.content.noteShown(await writer.prefix(), of: digest, from: source.proxy)
        }
    }

    private func mismatched() -> End {
        source.content.logger.log(
            .error, "digest mismatch",
            [
                "repo": .string(source.proxy), "name": .string("\(name)"),
                "digest": .string("\(digest)"),
            ])
        return .mismatch
    }

    enum TransferError: Error {
        case registry(RegistryError)
        case store(StoreError)
    }

    /// Receives to the end, resuming after interruptions with the hash state kept (UP-4).
    private func receiveAll(
        _ first: UpstreamResponse, into writer: BlobWriter, size: Int64?, skip: Int64
    ) async throws(TransferError) {
        var response = first
        var skip = skip
        var resumes = 0
        while true {
            let interruption = try await drain(response, into: writer, size: size, skip: skip)
            guard let interruption else { return }
            response.body.cancel()
            var cause = interruption.registryError(of: source.registry)
            while true {
                guard !cause.isOffline, resumes < source.policy.resumesMax else {
                    throw .registry(cause)
                }
                resumes += 1
                await source.content.loop.sleep(for: try pause(resumes, after: cause))
                switch await resume(
                    at: writer.file.progress.written, etag: first.etag, size: size, after: resumes)
                {
                case .success(nil): return
                case .success(let resumed?):
                    (response, skip) = resumed
                case .failure(.again(let error)):
                    cause = error
                    continue
                case .failure(.final(let error)):
                    throw .registry(error)
                }
                break
            }
        }
    }

    /// Writes a response's body; returns what interrupted it, nil at a good end.
    private func drain(
        _ response: UpstreamResponse, into writer: BlobWriter, size: Int64?, skip: Int64
    ) async throws(TransferError) -> UpstreamError? {
        var skip = skip
        while true {
            let chunk: Chunk?
            do throws(UpstreamError) {
                chunk = try await response.body.next()
            } catch {
                // All that was announced is here: the digest decides, whatever broke after it.
                return writer.file.progress.written == size ? nil : error
            }
            guard let chunk else {
                guard let size, writer.file.progress.written < size else { return nil }
                return .truncated
            }
            if skip > 0 {
                let dropped = min(skip, Int64(chunk.count))
                chunk.dropFirst(Int(dropped))
                skip -= dropped
            }
            if chunk.count > 0 { try await append(chunk, to: writer, size: size) }
            if isAbandoned(writer, size) {
                response.body.cancel()
                throw .registry(.unavailable("every client of this fetch has left"))
            }
        }
    }

    private func append(
        _ chunk: Chunk, to writer: BlobWriter, size: Int64?
    ) async throws(TransferError) {
        let total = writer.file.progress.written + Int64(chunk.count)
        if let size, total > size {
            throw .registry(.corrupt(registry: source.registry, "more bytes than announced"))
        }
        if total > source.policy.blobBytesMax {
            throw .registry(.corrupt(registry: source.registry, "the blob is over blob_size"))
        }
        do throws(StoreError) {
            try await writer.append(chunk)
        } catch {
            if size == nil, case .full = error { source.content.noteOutgrown(digest) }
            throw .store(error)
        }
        if size == nil, total > ProxyPolicy.verifiedFirstBytesMax {
            opened.fulfil(.success(.file(writer.file, size: nil)))
        }
    }

    /// Whether nobody has read for a while and too much is missing to go on for later (UP-3).
    private func isAbandoned(_ writer: BlobWriter, _ size: Int64?) -> Bool {
        let now = source.content.loop.now
        guard writer.file.readers == 0, opened.waiters == 0 else {
            idleSince = nil
            return false
        }
        let since = idleSince ?? now
        idleSince = since
        guard now - since >= ProxyPolicy.abandonedGrace else { return false }
        let written = writer.file.progress.written
        guard let size else { return written > ProxyPolicy.abandonedBytesMax }
        return size > ProxyPolicy.abandonedBytesMax && written < size / 2
    }
}
