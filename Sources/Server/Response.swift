package import HTTP

/// What a handler wants to be sent.
///
/// The connection adds `Date`, `Content-Length` or `Transfer-Encoding`, and `Connection`; a handler
/// that names one of these four itself is overruled. Everything else is the handler's, in
/// particular `Content-Type` (but for `Body.multipart`) and, for a part of a file, `Content-Range`.
package struct Response: Sendable {
    package var status: Int
    /// Replaces the standard reason phrase.
    package var reason: String?
    package var fields: HeaderFields
    /// Also for HEAD what GET would send; the connection leaves it out (RFC 9110 §9.3.2).
    package var body: Body
    /// End the connection after this answer.
    package var closes = false
    /// Makes what is sent in its place when the body turns out bad before its head is sent.
    ///
    /// That may happen for HTTP/1.0. Its body is bytes; nil for a bare 502.
    package var instead: (@Sendable () -> Response)?
    /// How the same answer is given to the next who asks in the same words; nil to ask each time.
    package var repetition: (any Repetition)?
    /// Called once, on the connection's loop, when the answer is sent or has been cut short.
    package var finished: (@Sendable (ResponseOutcome) -> Void)?

    package init(
        status: Int, reason: String? = nil, fields: HeaderFields = HeaderFields(),
        body: Body = .empty, finished: (@Sendable (ResponseOutcome) -> Void)? = nil
    ) {
        self.status = status
        self.reason = reason
        self.fields = fields
        self.body = body
        self.finished = finished
    }
}
