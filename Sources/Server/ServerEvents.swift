package import Telemetry

/// What the server tells whoever counts; called on loops, so nothing here may block.
package struct ServerEvents: Sendable {
    package var rejected: @Sendable (RejectionReason, ListenerIdentity) -> Void = { _, _ in }

    package init() {}
}
