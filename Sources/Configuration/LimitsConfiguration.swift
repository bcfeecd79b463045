/// `[limits]`: bounds on what clients and upstreams may make the daemon hold (RES-1 to RES-6).
package struct LimitsConfiguration: Sendable, Equatable {
    /// Client connections at the same time, over all listeners.
    package var connections: Int
    /// Client connections at the same time from one address (IPv6: one /64).
    package var connectionsPerAddress: Int
    /// Requests served on one connection before it is closed.
    package var requestsPerConnection: Int
    /// Bytes of the largest manifest taken from an upstream.
    package var manifestSize: Int64
    /// Bytes of the largest blob taken from an upstream.
    package var blobSize: Int64
    /// From accept, or the first byte of a later request, to the end of its header.
    package var headerTimeout: Duration
    /// How long a connection may lie idle between requests.
    package var idleTimeout: Duration
    /// How long a client may take nothing of an answer.
    package var writeTimeout: Duration
    /// How long running transfers may go on after SIGTERM.
    package var drainTimeout: Duration
}
