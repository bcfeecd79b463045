/// How an upload ended, for `cistern_uploads_ended_total`.
package enum UploadEnding: String, CaseIterable, Sendable {
    /// Verified, on disk, and shown under its name.
    case stored
    /// Another digest, too many bytes, no room, or a body that broke off for good.
    case failed
    /// The client gave it up.
    case cancelled
    /// Nobody came back to it in time.
    case expired
}

/// What is let go of a hosted repository without a client's asking.
package enum CollectedKind: String, CaseIterable, Sendable {
    case tag
    case manifest
    case blob
}

/// Pushes to hosted repositories, and what is let go there.
package struct PushMetrics: Sendable {
    let started: Counter
    let ended: Counter
    let receivedBytes: Counter
    let mounts: Counter
    let manifests: Counter
    let collected: Counter
    let damaged: Counter
    let bytes: Gauge

    init(_ metrics: Metrics) {
        started = metrics.counter(
            "cistern_uploads_started_total", help: "Uploads of blobs that clients began.",
            labels: ["repository"])
        ended = metrics.counter(
            "cistern_uploads_ended_total", help: "Uploads of blobs that ended, by how.",
            labels: ["repository", "result"])
        receivedBytes = metrics.counter(
            "cistern_push_received_bytes_total",
            help: "Body bytes received from clients that push.", labels: ["repository"])
        mounts = metrics.counter(
            "cistern_push_mounts_total",
            help: "Blobs shown under one more name without being sent again.",
            labels: ["repository"])
        manifests = metrics.counter(
            "cistern_push_manifests_total", help: "Manifests taken.", labels: ["repository"])
        collected = metrics.counter(
            "cistern_hosted_collected_total",
            help: "Tags that no rule keeps, and what nothing refers to: let go of.",
            labels: ["repository", "kind"])
        damaged = metrics.counter(
            "cistern_hosted_damaged_total",
            help: "Pushed blobs and manifests found damaged: to be pushed again.",
            labels: ["repository"])
        bytes = metrics.gauge(
            "cistern_store_hosted_bytes",
            help: "What a hosted repository takes on disk, as of the last look for what can go.",
            labels: ["repository"])
    }
}

/// What is counted for one hosted repository.
package final class HostedMetrics: Sendable {
    package let uploadsStarted: BoundCounter
    package let receivedBytes: BoundCounter
    package let mounts: BoundCounter
    package let manifests: BoundCounter
    package let damaged: BoundCounter
    /// What it takes on disk; not shown before it was added up.
    package let bytes: BoundGauge
    private let ended: [UploadEnding: BoundCounter]
    private let collected: [CollectedKind: BoundCounter]

    init(name: String, _ push: PushMetrics) {
        uploadsStarted = push.started.bound([name])
        receivedBytes = push.receivedBytes.bound([name])
        mounts = push.mounts.bound([name])
        manifests = push.manifests.bound([name])
        damaged = push.damaged.bound([name])
        bytes = push.bytes.boundUnset([name])
        ended = boundByCase { push.ended.bound([name, $0]) }
        collected = boundByCase { push.collected.bound([name, $0]) }
    }

    package func uploadEnded(_ ending: UploadEnding) { ended[ending]?.add() }

    package func collected(_ kind: CollectedKind, _ count: Int) { collected[kind]?.add(count) }
}
