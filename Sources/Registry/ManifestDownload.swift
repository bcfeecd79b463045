import OCI
import Reactor
import Store
import Telemetry
import Upstream

/// A manifest as it came, with every digest compared.
struct ManifestDownload: Sendable {
    let manifest: StoredManifest
    let parsed: Manifest
    /// `Cache-Status` of the answer.
    let parent: String?

    fileprivate enum Failure: Error {
        case mismatch
        case unreadable(ManifestError)
    }
}

extension BlobFetch.Source {
    /// Fetches and verifies; bytes that fail are asked for once more (INT-2).
    func manifest(
        _ key: ManifestFetches.Key, expecting digest: Digest?, isDispensable: Bool = false
    ) async throws(RegistryError) -> ManifestDownload {
        do throws(RegistryError) {
            return try await download(key, expecting: digest, isDispensable: isDispensable)
        } catch .corrupt(_, let text) {
            content.logger.log(
                .warn, "bad manifest",
                [
                    "repo": .string(scope.repository), "name": .string("\(key.name)"),
                    "cause": .string(text),
                ])
            return try await download(
                key, expecting: digest, isDispensable: isDispensable, after: 1)
        }
    }

    private func download(
        _ key: ManifestFetches.Key, expecting expected: Digest?, isDispensable: Bool,
        after mismatches: Int = 0
    ) async throws(RegistryError) -> ManifestDownload {
        var request = UpstreamRequest(.get, .manifest(key.name, key.reference))
        request.isDispensable = isDispensable
        request.resumption = mismatches
        let response = try await send(request)
        guard response.status == 200 else {
            response.body.cancel()
            throw response.registryError(of: registry)
        }
        let bytes: [UInt8]
        do throws(UpstreamError) {
            bytes = try await response.body.collect(limit: policy.manifestBytesMax)
        } catch {
            throw error.registryError(of: registry)
        }
        if let length = response.contentLength, length != Int64(bytes.count) {
            throw .corrupt(registry: registry, "\(bytes.count) bytes instead of \(length)")
        }
        return try await verify(bytes, response, expecting: expected)
    }

    /// Compares every digest that was named with the bytes received (INT-2, INT-6, INT-8).
    private func verify(
        _ bytes: [UInt8], _ response: UpstreamResponse, expecting expected: Digest?
    ) async throws(RegistryError) -> ManifestDownload {
        let (claimed, contentType) = (response.digest, response.contentType)
        let parent = response.cacheStatus
        // Hashing and parsing an index of 4 MiB takes a tenth of a second.
        let checked = await content.workers.run {
            () -> Result<ManifestDownload, ManifestDownload.Failure> in
            let named = [expected, claimed].compactMap { $0 }
            guard named.allSatisfy({ StreamingHash.digest(of: bytes, $0.algorithm) == $0 }) else {
                return .failure(.mismatch)
            }
            let digest = named.first ?? StreamingHash.digest(of: bytes, .sha256)
            do throws(ManifestError) {
                let parsed = try Manifest.parse(bytes, contentType: contentType)
                return .success(
                    ManifestDownload(
                        manifest: StoredManifest(
                            digest: digest, mediaType: parsed.mediaType, bytes: bytes),
                        parsed: parsed, parent: parent))
            } catch {
                return .failure(.unreadable(error))
            }
        }
        switch checked {
        case .success(let download):
            content.events.verified(scope.repository, true)
            return download
        case .failure(.mismatch):
            content.events.verified(scope.repository, false)
            throw .corrupt(registry: registry, "the manifest does not match its digest")
        case .failure(.unreadable(let error)):
            throw .corrupt(registry: registry, "not a manifest: \(error)")
        }
    }

    /// One request to the upstream, with its failure in the registry's terms.
    func send(
        _ request: UpstreamRequest
    ) async throws(RegistryError) -> UpstreamResponse {
        do throws(UpstreamError) {
            return try await upstream.send(request)
        } catch {
            throw error.registryError(of: registry)
        }
    }
}
