package import Reactor

/// Where the bytes of an answer come from.
package enum Body: Sendable {
    /// No bytes: `Content-Length: 0`, or none for 204 and 304.
    case empty
    /// Bytes in memory: manifests, errors, lists.
    case bytes([UInt8])
    /// A stored or still growing file, whole or one range of it, by sendfile.
    ///
    /// A whole file whose size is not yet known goes out chunked; HTTP/1.0 waits until it is
    /// complete. If the file fails or proves short, the body is cut short by FIN (clients.md 2),
    /// unless the file knows how it goes on.
    case file(GrowingFile, Range<Int64>?)
    /// Several ranges as `multipart/byteranges`; the part's own `Content-Type` is `contentType`.
    case multipart(GrowingFile, [Range<Int64>], total: Int64, contentType: String)
    /// Bytes passed through without being kept; chunked if `length` is not known.
    case stream(any BodyStream, length: Int64?)
    /// For answers to HEAD whose GET would send `length` bytes that nobody has here.
    case headOnly(length: Int64?)
}

/// A body that is made while it is sent, one chunk per call, by nobody else's pace.
package typealias BodyStream = ChunkStream
