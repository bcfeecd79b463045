package import Telemetry

/// What the server tells whoever counts; called on loops, so nothing here may block.
package struct ServerEvents: Sendable {
    package var rejected: @Sendable (RejectionReason, ListenerIdentity) -> Void = { _, _ in }

    /// A handshake of TLS that came to nothing: why, and with whom; at most one a second.
    package var handshakeFailed:
        @Sendable (_ reason: String, _ peer: String, ListenerIdentity) -> Void =
            { _, _, _ in }

    package init() {}
}
