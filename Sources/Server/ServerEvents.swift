/// Why a connection was not served.
package enum RejectionReason: String, CaseIterable, Sendable {
    /// All connections are in use and none is idle; accepting pauses (RES-6).
    case connections
    /// The peer's address has its share already (RES-6).
    case address
    /// Too few descriptors are left.
    case descriptors
    /// A TLS hello on a plain port, answered by 400 in HTTP (clients.md 1).
    case tlsHello = "tls_hello"
    /// The first request's head did not come in time (RES-5).
    case headerTimeout = "header_timeout"
}

/// What the server tells whoever counts; called on loops, so nothing here may block.
package struct ServerEvents: Sendable {
    package var rejected: @Sendable (RejectionReason, ListenerIdentity) -> Void = { _, _ in }

    package init() {}
}
