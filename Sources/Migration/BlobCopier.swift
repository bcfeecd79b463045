import OCI
import Reactor
import Upstream

/// Brings single blobs to the destination: not at all if they are there, by a mount if another
/// name has them, else streamed from the source with a chunk or two in memory.
struct BlobCopier: Sendable {
    let destination: RemoteRegistry
    let ledger: BlobLedger
    let transfers: Turnstile
    let pacer: Pacer
    let scoreboard: Scoreboard

    /// Brings a blob of an image.
    func copy(_ blob: Descriptor, of item: ImageItem) async throws(CopyFailure) {
        let target = item.target
        if await ledger.isKnown(blob.digest, in: target) { return }
        try await ledger.alone(with: blob.digest) { () throws(CopyFailure) in
            try await transfers.pass { () throws(CopyFailure) in
                try await pacer.attempt { () throws(CopyFailure) in
                    try await bring(blob, of: item)
                }
            }
            await ledger.note(blob.digest, in: target)
        }
    }

    private func bring(_ blob: Descriptor, of item: ImageItem) async throws(CopyFailure) {
        let target = item.target
        if await ledger.isKnown(blob.digest, in: target) { return }
        if try await destination.hasBlob(target, blob.digest) { return }
        let origin = await origin(of: blob, item)
        switch try await open(blob.digest, target, mountingFrom: origin) {
        case .mounted: scoreboard.mounted()
        case .upload(let location):
            if origin != nil { await ledger.forget(origin: blob.digest) }
            try await stream(blob, of: item, to: location)
        }
    }

    /// A registry that refuses to mount may still take the bytes.
    private func open(
        _ digest: Digest, _ target: RepositoryName, mountingFrom origin: RepositoryName?
    ) async throws(CopyFailure) -> RemoteRegistry.Opening {
        do throws(CopyFailure) {
            return try await destination.open(target, digest, mountingFrom: origin)
        } catch {
            guard origin != nil, error.isDenial || error.isMissing else { throw error }
        }
        return try await destination.open(target, digest, mountingFrom: nil)
    }

    /// A name of the destination that has it: of an image that is copied within one registry, its
    /// own.
    private func origin(
        of blob: Descriptor, _ item: ImageItem
    ) async -> RepositoryName? {
        let isWithin =
            item.source.address.base == destination.address.base && item.name != item.target
        return isWithin
            ? item.name : await ledger.origin(of: blob.digest, besides: item.target)
    }

    private func stream(
        _ blob: Descriptor, of item: ImageItem, to location: String
    ) async throws(CopyFailure) {
        let (source, name) = (item.source, item.name)
        let what = "blob \(blob.digest)"
        let response = try await source.send(UpstreamRequest(.get, .blob(name, blob.digest)), what)
        guard response.status == 200 else {
            throw await ErrorAnswer.failure(response, .source, what)
        }
        guard response.contentLength.map({ $0 == blob.size }) ?? true else {
            response.body.cancel()
            throw CopyFailure(
                .source, what,
                .content("it has \(response.contentLength ?? 0) bytes, not \(blob.size)"))
        }
        let (client, etag) = (source.client, response.etag)
        scoreboard.expect(blob.size, of: item)
        let sent: @Sendable (Int) -> Void = { [scoreboard] in scoreboard.moved($0, of: item) }
        let body = VerifyingBody(blob, from: response.body, client.loop, sent: sent) {
            (offset) async throws(UpstreamError) in
            try await client.send(
                UpstreamRequest(
                    .get, .blob(name, blob.digest), offset: offset, ifRange: etag))
        }
        do throws(CopyFailure) {
            try await destination.upload(body, blob, to: location, of: item.target)
        } catch {
            body.cancel()
            // The destination only sees that its request broke off.
            throw await body.failure ?? error
        }
    }
}
