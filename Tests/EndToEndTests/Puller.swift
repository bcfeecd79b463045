import TestSupport

/// Pulls whole images as a client would and tells everything that was not right.
struct Puller: Sendable {
    let address: String
    /// What stands before `/manifests/…`, for example `/v2/docker.io/library/a`.
    let base: String
    /// `?ns=docker.io` or nothing.
    var query = ""

    init(_ daemon: DaemonProcess, _ base: String, query: String = "") {
        self.init(daemon.address, base, query: query)
    }

    init(_ address: String, _ base: String, query: String = "") {
        (self.address, self.base, self.query) = (address, base, query)
    }

    func manifest(_ reference: String) -> String { "\(base)/manifests/\(reference)\(query)" }
    func blob(_ digest: String) -> String { "\(base)/blobs/\(digest)\(query)" }
    func blob(_ content: TestContent) -> String { blob(content.digest) }

    /// GET of a blob, checked byte by byte.
    func get(_ content: TestContent, timeout: Duration = .seconds(60)) throws -> WireResponse {
        try RawClient.request(address, blob(content), sink: .compare(content), timeout: timeout)
    }

    /// HEAD and GET by reference, all manifests, all blobs; what went wrong, in words.
    func pull(_ image: ImageFixture, _ reference: String = "latest") throws -> [String] {
        var problems: [String] = []
        let client = try RawClient(address)
        let types = Puller.manifestTypes.map { ("Accept", $0) }
        let head = try client.request(manifest(reference), method: "HEAD", fields: types)
        if head.status != 200 || head["Docker-Content-Digest"] != image.index.digest
            || head["Content-Type"] != image.index.mediaType
            || head.contentLength != image.index.content.size
        {
            problems.append("HEAD \(reference): \(head)")
        }
        let byDigest = image.documents.map { ($0.digest, $0) }
        for (reference, document) in [(reference, image.index)] + byDigest {
            let answer = try client.request(
                manifest(reference), fields: types, sink: .compare(document.content))
            if !answer.isRight || answer["Docker-Content-Digest"] != document.digest
                || answer["Content-Type"] != document.mediaType
            {
                problems.append("GET manifest \(reference): \(answer)")
            }
        }
        for content in image.blobs {
            let answer = try client.request(blob(content), sink: .compare(content))
            if !answer.isRight || answer.status != 200 {
                problems.append("GET blob \(content.digest): \(answer)")
            }
        }
        return problems
    }

    static let manifestTypes = [
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    ]
}
