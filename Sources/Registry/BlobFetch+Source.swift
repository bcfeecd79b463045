import OCI
import Upstream

extension BlobFetch.Source {
    /// Asks for a whole blob; of several upstreams the next one after each mismatch.
    func ask(
        _ name: RepositoryName, _ digest: Digest, after mismatches: Int = 0,
        isPassThrough: Bool = false
    ) async throws(RegistryError) -> UpstreamResponse {
        var request = UpstreamRequest(.get, .blob(name, digest))
        request.resumption = mismatches
        request.isPassThrough = isPassThrough
        let response = try await send(request)
        guard response.status == 200 else {
            response.body.cancel()
            throw response.registryError(of: registry)
        }
        return response
    }

    /// The upstream's word that it has something; by GET where HEAD is refused (UP-9).
    func head(
        _ resource: UpstreamRequest.Resource
    ) async throws(RegistryError) -> UpstreamResponse {
        let head = try await headers(.head, resource)
        if head.status == 200 { return head }
        guard [401, 403, 405, 501].contains(head.status) else {
            throw head.registryError(of: registry)
        }
        let get = try await headers(.get, resource)
        guard get.status == 200 else { throw get.registryError(of: registry) }
        return get
    }

    private func headers(
        _ method: UpstreamRequest.Method, _ resource: UpstreamRequest.Resource
    ) async throws(RegistryError) -> UpstreamResponse {
        do throws(UpstreamError) {
            let response = try await upstream.send(UpstreamRequest(method, resource))
            response.body.cancel()
            return response
        } catch {
            throw error.registryError(of: registry)
        }
    }

    /// Asks for a blob from `offset` on, of which an earlier run left what comes before.
    ///
    /// Nil if the upstream's blob is another one: shorter, or given from another offset.
    func askRest(
        _ name: RepositoryName, _ digest: Digest, from offset: Int64
    ) async throws(RegistryError) -> UpstreamResponse? {
        let response: UpstreamResponse
        do throws(UpstreamError) {
            response = try await upstream.send(
                UpstreamRequest(.get, .blob(name, digest), offset: offset))
        } catch {
            if case .badResponse = error { return nil }
            throw error.registryError(of: registry)
        }
        switch response.status {
        case 200, 206: return response
        case 401, 403, 404, 408, 429, 500, 502...599:
            response.body.cancel()
            throw response.registryError(of: registry)
        default:
            // 416: it is shorter. 400, 501 and others: it may not like ranges.
            response.body.cancel()
            return nil
        }
    }

    /// The blob's size, if anybody tells: headers and descriptors have to agree (INT-11).
    func expectedSize(
        _ response: UpstreamResponse, _ name: RepositoryName, _ digest: Digest
    ) throws(RegistryError) -> Int64? {
        let described = content.describedSize(scope, name, digest)
        let announced =
            response.status == 206 ? response.contentRange?.total : response.contentLength
        if let described, let announced, described != announced {
            response.body.cancel()
            throw .corrupt(registry: registry, "\(announced) bytes instead of \(described)")
        }
        let size = announced ?? described
        if let size, size > policy.blobBytesMax {
            response.body.cancel()
            throw .corrupt(registry: registry, "blob of \(size) bytes is over blob_size")
        }
        return size
    }
}
