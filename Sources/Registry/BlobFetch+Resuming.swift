import OCI
import Reactor
import Upstream

/// Going on where a transfer broke off (UP-4).
extension BlobFetch {
    /// The longest `Retry-After` that an interrupted body waits for: clients give up in a minute.
    private static let limitedPauseMax = Duration.seconds(30)

    enum ResumeError: Error {
        case again(RegistryError)
        case final(RegistryError)
    }

    /// Asks for the rest, starting again at the registry's own URL (signed URLs expire).
    ///
    /// Nil when there is none: what broke off was the end of a body of unknown length.
    func resume(
        at offset: Int64, etag: String?, size: Int64?, after resumption: Int = 0
    ) async -> Result<(UpstreamResponse, skip: Int64)?, ResumeError> {
        var request = UpstreamRequest(
            .get, .blob(name, digest), offset: offset, ifRange: offset > 0 ? etag : nil)
        request.resumption = resumption
        let response: UpstreamResponse
        do throws(UpstreamError) {
            response = try await source.upstream.send(request)
        } catch .offline {
            return .failure(.final(.offline(registry: source.registry)))
        } catch {
            return .failure(.again(error.registryError(of: source.registry)))
        }
        switch response.status {
        case 200:
            // Range ignored, or a changed ETag: what is here already is skipped, the hash decides.
            guard response.contentLength == nil || size == nil || response.contentLength == size
            else { break }
            return .success((response, offset))
        case 206:
            guard let range = response.contentRange, range.first == offset,
                range.total == nil || size == nil || range.total == size
            else { break }
            if let etag, let now = response.etag, etag != now {
                // In spite of If-Range: these are not the bytes that the first ones belong to.
                response.body.cancel()
                return .failure(.final(.corrupt(registry: source.registry, "changed meanwhile")))
            }
            return .success((response, 0))
        case 416 where size == nil && offset > 0:
            response.body.cancel()
            return .success(nil)  // The hash decides.
        case 429, 500...599:
            response.body.cancel()
            return .failure(.again(response.registryError(of: source.registry)))
        default:
            response.body.cancel()
            return .failure(.final(response.registryError(of: source.registry)))
        }
        response.body.cancel()
        return .failure(.final(.corrupt(registry: source.registry, "wrong range on resuming")))
    }

    /// 100 ms doubling, spread by the digest so that a replayed run pauses the same; as long as the
    /// upstream asks for, if readers can be kept waiting for that.
    func pause(
        _ attempt: Int, after cause: RegistryError
    ) throws(TransferError) -> Duration {
        if case .limited(_, let retryAfter) = cause {
            guard retryAfter <= Self.limitedPauseMax else { throw .registry(cause) }
            return retryAfter
        }
        let spread = Int(digest.bytes.first ?? 0) % 100
        return .milliseconds((100 << min(attempt, 4)) / 2 + spread)
    }
}
