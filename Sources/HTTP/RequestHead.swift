/// A request without its body, its framing already checked.
package final class RequestHead: Sendable {
    package let method: Method
    package let target: RequestTarget
    package let version: HTTPVersion
    package let headers: HeaderFields
    /// The one valid Host as sent, port included; empty only for HTTP/1.0 without one.
    package let host: String
    /// The announced length of the body; `nil` without Content-Length.
    package let contentLength: Int64?
    /// Whether a body follows in chunks; never together with a length.
    package let isChunked: Bool
    /// Whether the client lets the connection be used again (RFC 9112 §9.3).
    package let keepAlive: Bool
    /// Whether the client waits for `100 Continue` before it sends the body (HTTP-3).
    package let expectsContinue: Bool

    package init(
        method: Method, target: RequestTarget, version: HTTPVersion = .http11,
        headers: HeaderFields = HeaderFields(), host: String = "localhost",
        contentLength: Int64? = nil, isChunked: Bool = false, keepAlive: Bool = true,
        expectsContinue: Bool = false
    ) {
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.host = host
        self.contentLength = contentLength
        self.isChunked = isChunked
        self.keepAlive = keepAlive
        self.expectsContinue = expectsContinue
    }

    /// The head as it came, up to and including the empty line; empty for one made by hand.
    package var bytes: [UInt8] { headers.storage }

    /// Whether bytes of a body follow the head.
    package var hasBody: Bool { isChunked || (contentLength ?? 0) > 0 }

    /// The Host without its port and in lower case; brackets of an IPv6 address stay.
    package var hostName: String { HostText.name(of: host) }
}
