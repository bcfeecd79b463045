/// Why a request is refused before anybody looks at what it asks for.
///
/// After any of them the connection is closed and none of its bytes is parsed any more (HTTP-1).
package struct RequestError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The status to answer with: 400, 414, 417, 431, 501 or 505.
    package let status: Int
    /// A fixed text that contains nothing of the request, fit for a log line and an error body.
    package let reason: String

    package init(status: Int, reason: String) {
        self.status = status
        self.reason = reason
    }

    package var description: String { "\(status): \(reason)" }
}

extension RequestError {
    // Two kinds of bytes that are worth telling apart in a log.
    /// A TLS hello on a plain port: dockerd, podman and skopeo try HTTPS first and go on to HTTP
    /// only after an HTTP answer (clients.md).
    package static let tlsHello = Self(status: 400, reason: "TLS handshake on a plain HTTP port")
    /// The HTTP/2 connection preface (HTTP-10).
    package static let http2Preface = Self(
        status: 400, reason: "HTTP/2 preface on an HTTP/1.1 port")

    // The request line.
    package static let requestLineTooLong = Self(status: 414, reason: "request line too long")
    package static let badRequestLine = Self(status: 400, reason: "malformed request line")
    package static let badVersion = Self(status: 505, reason: "HTTP version not supported")
    package static let badTarget = Self(status: 400, reason: "malformed request target")
    package static let badQuery = Self(status: 400, reason: "malformed query")
    package static let tooManyParameters = Self(status: 400, reason: "too many query parameters")

    // The field lines.
    package static let headersTooLarge = Self(status: 431, reason: "header fields too large")
    package static let tooManyFields = Self(status: 431, reason: "too many header fields")
    package static let bareLineFeed = Self(status: 400, reason: "line feed without carriage return")
    package static let badFieldLine = Self(status: 400, reason: "malformed header field")
    package static let foldedField = Self(status: 400, reason: "folded header field")
    package static let controlInField = Self(status: 400, reason: "control byte in a header field")

    // What the fields say together.
    package static let badHost = Self(status: 400, reason: "missing, repeated or malformed Host")
    package static let hostMismatch = Self(
        status: 400, reason: "Host differs from the request target")
    package static let badContentLength = Self(status: 400, reason: "malformed Content-Length")
    package static let badTransferEncoding = Self(
        status: 400, reason: "malformed Transfer-Encoding")
    package static let unknownTransferEncoding = Self(
        status: 501, reason: "unknown Transfer-Encoding")
    package static let ambiguousLength = Self(
        status: 400, reason: "Content-Length with Transfer-Encoding")
    package static let unknownExpectation = Self(status: 417, reason: "unknown Expect")

    // Chunked bodies.
    package static let badChunk = Self(status: 400, reason: "malformed chunk")
    package static let chunkExtensionTooLong = Self(
        status: 400, reason: "chunk extensions too long")
    package static let badTrailer = Self(status: 400, reason: "malformed trailer")
    package static let trailersTooLarge = Self(status: 400, reason: "trailers too large")
}
