import HTTP
import OCI
import Registry
import Server

extension Answer {
    /// What the refusal of a push, or of a deletion, looks like; `missing` is the code of a 404.
    static func failure(_ error: PushError, missing: ErrorCode) -> Answer {
        switch error {
        case .uploadUnknown:
            return .error(404, .blobUploadUnknown, "there is no such upload; begin a new one")
        case .uploadBusy:
            return .error(
                409, .blobUploadInvalid, "another request is writing to this upload",
                reason: "upload in use")
        case .mismatch(let expected, let actual):
            return .error(
                400, .digestInvalid,
                "the bytes received have the digest \(actual), not \(expected)")
        case .notFound:
            return .error(404, missing, "it does not exist here")
        case .manifestInvalid(let cause):
            return .error(400, .manifestInvalid, "not a manifest: \(cause)")
        case .blobsUnknown(let digests):
            let shown = digests.prefix(Self.blobsShownMax).map(\.description)
            return .error(
                400, .manifestBlobUnknown,
                "the manifest names \(digests.count) blobs that were not pushed: "
                    + shown.joined(separator: ", "))
        case .forbidden(let cause):
            return .error(405, .unsupported, cause)
        case .tagImmutable(let tag, let digest):
            return .error(
                409, .denied,
                "the tag \(tag) is immutable here and points to \(digest); push another tag",
                reason: "tag \(tag) is immutable")
        case .tooLarge(let cause):
            return .error(413, .sizeInvalid, cause)
        case .full:
            return .error(
                507, .denied,
                "the disk is full of content that must stay; raise cache.max_size or delete some",
                reason: "no room in the store")
        case .tooManyUploads:
            var answer = Answer.error(503, .tooManyRequests, "too many uploads are under way")
            answer.response.fields.append("Retry-After", 30)
            return answer
        case .unavailable(let cause):
            return .error(503, .unavailable, "it cannot be stored: \(cause)", reason: cause)
        }
    }

    /// Missing blobs that an error names.
    private static let blobsShownMax = 5
}
