import OCI
import Reactor
import Store
import Upstream

/// One of the two registries: what is read there, each answer checked.
///
/// A failure is tried again by whoever asks (`Pacer`).
actor RemoteRegistry {
    /// A list of names or tags, one page of it.
    static let pageBytesMax = 4 << 20
    /// What refers to one manifest.
    private static let referrersMax = ImageCopier.manifestsMax
    private static let referrersBytesMax = 64 << 20

    nonisolated let side: Side
    nonisolated let address: RegistryAddress
    nonisolated let client: CurlUpstream
    /// Whether it has the referrers API; nil until that shows.
    private(set) var hasReferrers: Bool?

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        client.loop.asUnownedSerialExecutor()
    }

    init(
        _ side: Side, _ address: RegistryAddress, _ access: RegistryAccess, on loop: EventLoop
    ) throws(CopyFailure) {
        self.side = side
        self.address = address
        let settings = try access.settings(for: address, side)
        do throws(UpstreamError) {
            client = try CurlUpstream(settings, loop: loop)
        } catch {
            throw CopyFailure(side, "", .transport(error))
        }
    }

    // MARK: - Manifests

    /// A manifest with its bytes as they came.
    struct Document: Sendable {
        let bytes: [UInt8]
        let digest: Digest
        let manifest: Manifest
    }

    /// Reads a manifest and verifies it.
    func document(
        _ name: RepositoryName, _ reference: Reference
    ) async throws(CopyFailure) -> Document {
        let what = "manifest \(name) \(reference)"
        let response = try await send(UpstreamRequest(.get, .manifest(name, reference)), what)
        guard response.status == 200 else {
            throw await ErrorAnswer.failure(response, side, what)
        }
        let bytes = try await collect(response, what, limit: Manifest.bytesMax)
        let named = [reference.digest, response.digest].compactMap { $0 }
        let digest = StreamingHash.digest(of: bytes, named.first?.algorithm ?? .sha256)
        for claim in named where claim.algorithm == digest.algorithm && claim != digest {
            throw CopyFailure(side, what, .content("its bytes are those of \(digest)"))
        }
        do throws(ManifestError) {
            return Document(
                bytes: bytes, digest: digest,
                manifest: try Manifest.parse(bytes, contentType: response.contentType))
        } catch {
            throw CopyFailure(side, what, .badManifest(error))
        }
    }

    /// What a tag points to; nil if it is not there.
    func digest(
        _ name: RepositoryName, _ reference: Reference
    ) async throws(CopyFailure) -> Digest? {
        let what = "manifest \(name) \(reference)"
        let response = try await send(UpstreamRequest(.head, .manifest(name, reference)), what)
        response.body.cancel()
        switch response.status {
        case 200:
            if let digest = response.digest { return digest }
            // Few registries leave it out; then the bytes say it.
            return try await document(name, reference).digest
        case 404: return nil
        default: throw await ErrorAnswer.failure(response, side, what)
        }
    }

    // MARK: - Blobs

    func hasBlob(_ name: RepositoryName, _ digest: Digest) async throws(CopyFailure) -> Bool {
        let what = "blob \(digest)"
        let response = try await send(UpstreamRequest(.head, .blob(name, digest)), what)
        response.body.cancel()
        switch response.status {
        case 200: return true
        case 404: return false
        default: throw await ErrorAnswer.failure(response, side, what)
        }
    }

    // MARK: - Referrers

    /// What refers to a manifest, by the API; nil if there is no such API here.
    func referrers(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(CopyFailure) -> [Descriptor]? {
        if hasReferrers == false { return nil }
        let what = "referrers of \(digest)"
        var found: [Descriptor] = []
        var resource = UpstreamRequest.Resource.referrers(name, digest, artifactType: nil)
        var pages = PageCount(side, what)
        var bytesLeft = Self.referrersBytesMax
        while true {
            let response = try await send(UpstreamRequest(.get, resource), what)
            guard response.status == 200 else {
                let isAbsent = [400, 404, 405, 501].contains(response.status)
                guard isAbsent, found.isEmpty else {
                    throw await ErrorAnswer.failure(response, side, what)
                }
                response.body.cancel()
                hasReferrers = false
                return nil
            }
            let bytes = try await collect(response, what, limit: Self.pageBytesMax)
            do throws(ManifestError) {
                found += try ReferrersIndex.parse(bytes).descriptors
            } catch {
                // Some registries answer whatever they do not know with a page of theirs.
                guard hasReferrers == true || !found.isEmpty else { return nil }
                throw CopyFailure(side, what, .badManifest(error))
            }
            hasReferrers = true
            bytesLeft -= bytes.count
            guard found.count <= Self.referrersMax, bytesLeft >= 0 else {
                throw CopyFailure(side, what, .bound("more than \(Self.referrersMax) of them"))
            }
            guard let next = response.next else { return found }
            try pages.count(next)
            resource = .next(name, link: next)
        }
    }

    /// Whether it has the referrers API: asked about this manifest if that has not shown yet.
    func listsReferrers(
        _ name: RepositoryName, _ digest: Digest
    ) async throws(CopyFailure) -> Bool {
        if let hasReferrers { return hasReferrers }
        return try await referrers(name, digest) != nil
    }

    // MARK: - Asking

    func send(
        _ request: UpstreamRequest, _ what: String
    ) async throws(CopyFailure) -> UpstreamResponse {
        do throws(UpstreamError) {
            return try await client.send(request)
        } catch {
            throw failure(error, what)
        }
    }

    func send(_ call: RegistryCall, _ what: String) async throws(CopyFailure) -> UpstreamResponse {
        do throws(UpstreamError) {
            return try await client.send(call)
        } catch {
            throw failure(error, what)
        }
    }

    func collect(
        _ response: UpstreamResponse, _ what: String, limit: Int
    ) async throws(CopyFailure) -> [UInt8] {
        do throws(UpstreamError) {
            return try await response.body.collect(limit: limit)
        } catch {
            throw failure(error, what)
        }
    }

    private func failure(_ error: UpstreamError, _ what: String) -> CopyFailure {
        var retryAfter: Duration?
        if case .tooManyRequests(let after) = error { retryAfter = after }
        return CopyFailure(side, what, .transport(error), retryAfter: retryAfter)
    }
}

/// Follows a list's pages and refuses one that leads in a circle or never ends.
struct PageCount {
    private static let pagesMax = 100_000

    private let side: Side
    private let what: String
    private var pages = 0
    private var last: String?

    init(_ side: Side, _ what: String) {
        self.side = side
        self.what = what
    }

    /// Notes where the next page is.
    mutating func count(_ next: String) throws(CopyFailure) {
        guard next != last else {
            throw CopyFailure(side, what, .bound("its next page is the same page again"))
        }
        pages += 1
        guard pages < Self.pagesMax else {
            throw CopyFailure(side, what, .bound("it has no end after \(pages) pages"))
        }
        last = next
    }
}
