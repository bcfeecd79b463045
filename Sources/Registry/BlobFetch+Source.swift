import OCI
import Upstream

extension BlobFetch.Source {
    /// Asks for a whole blob.
    func ask(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(RegistryError) -> UpstreamResponse {
        let response: UpstreamResponse
        do throws(UpstreamError) {
            response = try await upstream.send(UpstreamRequest(.get, .blob(name, digest)))
        } catch {
            throw error.registryError(of: registry)
        }
        guard response.status == 200 else {
            response.body.cancel()
            throw response.registryError(of: registry)
        }
        return response
    }

    /// The blob's size, if anybody tells: headers and descriptors have to agree (INT-11).
    func expectedSize(
        _ response: UpstreamResponse, _ name: RepositoryName, _ digest: Digest
    ) throws(RegistryError) -> Int64? {
        let described = content.describedSize(proxy, name, digest)
        let announced = response.contentLength
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
