/// What an upstream client reports while it works; bound to metrics by the daemon.
///
/// Called on the client's loop, so each closure must be short and must not block.
package struct UpstreamEvents: Sendable {
    /// One HTTP exchange, whether with the registry, a token endpoint or a CDN.
    package struct Exchange: Sendable {
        package enum Kind: String, Sendable {
            case registry, token, redirect
        }

        package var kind: Kind
        package var method: UpstreamRequest.Method
        /// The status, or 0 when no response headers came.
        package var status: Int
        /// Until the headers or the error.
        package var duration: Duration
        /// Set when no usable headers came.
        package var error: UpstreamError?
        package var rateLimit: RateLimit?
    }

    /// Headers arrived or never will: one call for each exchange.
    package var exchange: @Sendable (Exchange) -> Void
    /// Body bytes, error bodies included, as they arrive.
    package var received: @Sendable (Int) -> Void
    /// A body that broke after its headers.
    package var bodyFailed: @Sendable (UpstreamError) -> Void

    package init(
        exchange: @escaping @Sendable (Exchange) -> Void = { _ in },
        received: @escaping @Sendable (Int) -> Void = { _ in },
        bodyFailed: @escaping @Sendable (UpstreamError) -> Void = { _ in }
    ) {
        self.exchange = exchange
        self.received = received
        self.bodyFailed = bodyFailed
    }
}
