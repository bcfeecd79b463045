package import OCI
import Store

/// Why a push, or a deletion, is refused; translated to HTTP by the API alone.
package enum PushError: Error, Sendable {
    /// No such upload, or not this client's (AUTH-7).
    case uploadUnknown
    /// Another request has the upload now.
    case uploadBusy
    /// What was received is not what the digest says.
    case mismatch(expected: Digest, actual: Digest)
    /// What is to be deleted or mounted is not here.
    case notFound
    /// It is no manifest.
    case manifestInvalid(String)
    /// A manifest names blobs that were not pushed.
    case blobsUnknown([Digest])
    /// The repository's rules forbid it.
    case forbidden(String)
    /// The tag may not be moved from what it points to.
    case tagImmutable(Tag, Digest)
    /// More bytes than one object, or the repository, may have.
    case tooLarge(String)
    /// The disk is full of what cannot be evicted.
    case full
    case tooManyUploads
    /// The storage is out of order.
    case unavailable(String)

    init(_ error: StoreError) {
        switch error {
        case .full: self = .full
        case .tooManyUploads: self = .tooManyUploads
        case .mismatch(let expected, let actual):
            self = .mismatch(expected: expected, actual: actual)
        default: self = .unavailable("\(error)")
        }
    }
}
