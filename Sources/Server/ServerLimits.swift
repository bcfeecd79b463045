package import HTTP

/// Bounds of the server; the defaults are the requirements' (RES-1, RES-5, RES-6).
package struct ServerLimits: Sendable {
    package var parser = ParserLimits()

    // Connections.
    package var connectionsMax = 4096
    /// Per IPv4 address and per IPv6 /64.
    package var connectionsPerAddressMax = 256
    /// Descriptors that connections leave to files, upstreams and the log.
    package var descriptorsReserved = 64
    package var requestsPerConnectionMax = 10_000

    // Times.
    /// For a whole request head: from accept, later from the request's first byte.
    package var headerTimeout: Duration = .seconds(10)
    /// For a connection without any request.
    package var idleTimeout: Duration = .seconds(75)
    /// For a request body that is read only to be dropped, plus one second per KiB received.
    package var bodyTimeout: Duration = .seconds(30)
    /// A client that takes nothing for so long is cut.
    package var writeStallTimeout: Duration = .seconds(60)
    /// A file that does not grow for so long counts as failed; its writer has shorter bounds.
    package var growthStallTimeout: Duration = .seconds(60)
    /// For the client to notice an end by FIN before the descriptor is closed.
    package var lingerTimeout: Duration = .seconds(5)

    // Bytes.
    /// Received and not yet parsed: one head at most, or pipelined requests.
    package var inputBytesMax = 64 << 10
    /// A request body up to here is dropped and the connection kept; a longer one ends it.
    package var discardedBodyBytesMax = 64 << 10
    package var lingerBytesMax = 8 << 20
    /// What one connection sends before the others get their turn (prototypes.md §5).
    package var turnBytesMax = 2 << 20

    package init() {}
}
