import HTTP
import OCI
import Store
import Upstream

/// What the destination is asked besides.
extension RemoteRegistry {
    /// How long a registry may take to put away what it has received.
    private static let commitPatience = Duration.seconds(300)

    /// What became of a request for an upload.
    enum Opening: Sendable {
        /// It was mounted: nothing has to be sent.
        case mounted
        case upload(location: String)
    }

    /// Opens an upload; with `origin`, a name that has the blob, it may be there at once.
    func open(
        _ name: RepositoryName, _ digest: Digest, mountingFrom origin: RepositoryName?
    ) async throws(CopyFailure) -> Opening {
        let what = "blob \(digest)"
        var path = "v2/\(name)/blobs/uploads/"
        if let origin {
            path +=
                "?mount=\(PercentEncoding.encode("\(digest)"))"
                + "&from=\(PercentEncoding.encode("\(origin)"))"
        }
        var call = RegistryCall(.post, .path(path), about: name)
        call.origin = origin
        let response = try await send(call, what)
        switch response.status {
        case 201 where origin != nil:
            response.body.cancel()
            return .mounted
        case 202:
            response.body.cancel()
            guard let location = response.location else {
                throw CopyFailure(
                    side, what, .transport(.badResponse("an upload without Location")))
            }
            return .upload(location: location)
        default: throw await ErrorAnswer.failure(response, side, what)
        }
    }

    /// Sends a blob in one request, streamed.
    func upload(
        _ body: any UpstreamBody, _ descriptor: Descriptor, to location: String,
        of name: RepositoryName
    ) async throws(CopyFailure) {
        let what = "blob \(descriptor.digest)"
        let mark = location.contains("?") ? "&" : "?"
        let digest = PercentEncoding.encode("\(descriptor.digest)")
        let response = try await send(
            RegistryCall(
                .put, .link("\(location)\(mark)digest=\(digest)"), about: name,
                fields: ["Content-Type: application/octet-stream"],
                body: .stream(body, length: descriptor.size), patience: Self.commitPatience),
            what)
        guard (200...299).contains(response.status) else {
            throw await ErrorAnswer.failure(response, side, what)
        }
        response.body.cancel()
        guard response.digest.map({ $0 == descriptor.digest }) ?? true else {
            throw CopyFailure(side, what, .content("it was taken for another digest"))
        }
    }

    /// Pushes a manifest, byte for byte, by its digest or under a tag.
    ///
    /// - Returns: whether the registry lists by itself what the manifest refers to.
    @discardableResult
    func put(
        _ document: Document, _ name: RepositoryName, as tag: Tag?
    ) async throws(CopyFailure) -> Bool {
        // Under a tag alone a digest is sha256's.
        let isPlain = document.digest.algorithm == .sha256
        let reference = isPlain ? tag?.text ?? "\(document.digest)" : "\(document.digest)"
        let query = isPlain ? "" : tag.map { "?tag=\(PercentEncoding.encode($0.text))" } ?? ""
        let what = "manifest \(name) \(tag?.text ?? "\(document.digest)")"
        let response = try await send(
            RegistryCall(
                .put, .path("v2/\(name)/manifests/\(reference)\(query)"), about: name,
                fields: ["Content-Type: \(document.manifest.mediaType)"],
                body: .bytes(document.bytes), patience: Self.commitPatience), what)
        guard (200...299).contains(response.status) else {
            throw await ErrorAnswer.failure(response, side, what)
        }
        response.body.cancel()
        guard response.digest.map({ $0 == document.digest }) ?? true else {
            throw CopyFailure(side, what, .content("it was taken for another digest"))
        }
        return document.manifest.subject == nil || response.subject != nil
    }
}

// MARK: - Lists of referrers

extension RemoteRegistry {
    /// Adds an entry to the index that is kept under a tag.
    func list(
        _ entry: Descriptor, _ name: RepositoryName, under tag: Tag
    ) async throws(CopyFailure) {
        let what = "manifest \(name) \(tag)"
        let old = try await send(UpstreamRequest(.get, .manifest(name, .tag(tag))), what)
        var index = ReferrersIndex()
        switch old.status {
        case 200:
            let bytes = try await collect(old, what, limit: Manifest.bytesMax)
            if let found = try? ReferrersIndex.parse(bytes) { index = found }
        case 404: old.body.cancel()
        default: throw await ErrorAnswer.failure(old, side, what)
        }
        guard !index.descriptors.contains(where: { $0.digest == entry.digest }) else { return }
        index.descriptors.append(entry)
        let bytes = index.encode()
        let manifest: Manifest
        do throws(ManifestError) {
            manifest = try Manifest.parse(bytes, contentType: ReferrersIndex.contentType)
        } catch {
            throw CopyFailure(side, what, .badManifest(error))
        }
        try await put(
            Document(
                bytes: bytes, digest: StreamingHash.digest(of: bytes, .sha256),
                manifest: manifest), name, as: tag)
    }
}
