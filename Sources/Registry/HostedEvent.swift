package import Telemetry

/// What happened at a hosted repository, for metrics.
package enum HostedEvent: Sendable {
    case uploadBegan
    case uploadEnded(UploadEnding)
    /// Body bytes of a push came in.
    case received(Int)
    /// A blob is shown under one more name, without its bytes having been sent.
    case mounted
    /// A manifest was taken.
    case manifest
    /// Something that was pushed is damaged, and only its pusher has it.
    case damaged
    case collected(CollectedKind, Int)
}
