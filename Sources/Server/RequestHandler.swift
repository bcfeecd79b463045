package import HTTP

/// What answers requests: the one seam between connections and what they are about.
///
/// All functions are called on the connection's own loop and must not block it.
package protocol RequestHandler: Sendable {
    /// Whether the body of such a request is wanted; else it is read and dropped before the answer,
    /// as far as that is worth the connection.
    func takesBody(of head: RequestHead) -> Bool

    /// Where in a head that part lies in which requests of one kind differ: `HeadPart.count` bytes;
    /// nil if such a request is one of its kind. Any bytes may be asked about.
    func part(of head: UnsafeRawBufferPointer) -> Range<Int>?

    /// Decides what is sent; from here on a body may still be cut short, but not be replaced.
    func respond(to request: Request) async -> Response

    /// Makes the answer to a request that is not served: framing errors, limits, foreign hosts.
    ///
    /// The connection ends after it; no further byte of it is parsed (HTTP-1).
    func refuse(_ error: RequestError, _ context: RefusalContext) -> Response
}

extension RequestHandler {
    package func takesBody(of head: RequestHead) -> Bool { false }
    package func part(of head: UnsafeRawBufferPointer) -> Range<Int>? { nil }
}

/// What is known of a request that was refused before it had a meaning.
package struct RefusalContext: Sendable {
    /// The peer's numeric host.
    package let peer: String
    package let listener: ListenerIdentity
    package let id: RequestID
}
