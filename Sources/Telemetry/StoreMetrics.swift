/// What is on disk, what was evicted, and what verification found.
package struct StoreMetrics: Sendable {
    /// What the store knows about itself, at no cost, when the page is made.
    package struct Sample: Sendable {
        var sizeBytes: Int64
        var limitBytes: Int64
        var blobs: Int64
        var manifests: Int64
        var filesystemFreeBytes: Int64?

        /// A sample; the free space is left out when it could not be measured.
        package init(
            sizeBytes: Int64, limitBytes: Int64, blobs: Int64, manifests: Int64,
            filesystemFreeBytes: Int64?
        ) {
            self.sizeBytes = sizeBytes
            self.limitBytes = limitBytes
            self.blobs = blobs
            self.manifests = manifests
            self.filesystemFreeBytes = filesystemFreeBytes
        }
    }

    /// Seconds that the last evicted blob had gone unused; not shown before the first eviction.
    package let evictedIdleSeconds: BoundGauge
    /// What images take that are never evicted, in bytes.
    package let pinnedBytes: BoundGauge
    private let metrics: Metrics
    private let evictedBlobs: [EvictionReason: BoundCounter]
    private let evictedBytes: [EvictionReason: BoundCounter]
    private let verified: [VerificationResult: BoundCounter]
    private let damaged: [DamageCause: BoundCounter]
    private let scrubbedBytes: BoundCounter
    private let scrubbedAt: BoundGauge

    init(_ metrics: Metrics) {
        self.metrics = metrics
        let blobs = metrics.counter(
            "cistern_evicted_blobs_total", help: "Blobs removed to make room.", labels: ["reason"])
        let bytes = metrics.counter(
            "cistern_evicted_bytes_total", help: "Bytes removed to make room.", labels: ["reason"])
        evictedIdleSeconds = metrics.gauge(
            "cistern_evicted_idle_seconds",
            help: "How long the last evicted blob had gone unused: the cache's real memory."
        ).boundUnset()
        pinnedBytes = metrics.gauge(
            "cistern_store_pinned_bytes", help: "Bytes of images that are never evicted."
        ).bound()
        let verified = metrics.counter(
            "cistern_verified_blobs_total", help: "Blobs hashed by outcome.", labels: ["result"])
        let damaged = metrics.counter(
            "cistern_store_damaged_total",
            help: "Stored files found damaged and dropped, to be fetched again.",
            labels: ["cause"])
        scrubbedBytes = metrics.counter(
            "cistern_scrubbed_bytes_total", help: "Bytes of stored files that were read again."
        ).bound()
        scrubbedAt = metrics.gauge(
            "cistern_scrubbed_timestamp_seconds", help: "When the scrub last verified a file."
        ).boundUnset()
        evictedBlobs = boundByCase { blobs.bound([$0]) }
        evictedBytes = boundByCase { bytes.bound([$0]) }
        self.verified = boundByCase { verified.bound([$0]) }
        self.damaged = boundByCase { damaged.bound([$0]) }
    }

    /// Counts evicted blobs.
    package func evicted(
        _ count: Int, _ bytes: Int64, _ reason: EvictionReason, idleSeconds: Int64
    ) {
        evictedBlobs[reason]?.add(count)
        evictedBytes[reason]?.add(Int(bytes))
        evictedIdleSeconds.set(Int(max(0, idleSeconds)))
    }

    /// Counts a blob whose hash was compared with its digest.
    package func verified(_ result: VerificationResult) {
        verified[result]?.add()
    }

    /// Counts a stored file that the scrub has read; `seconds` since 1970.
    package func scrubbed(_ bytes: Int64, at seconds: Int64) {
        scrubbedBytes.add(Int(clamping: bytes))
        scrubbedAt.set(Int(clamping: seconds))
    }

    /// Counts a stored file that is not what was stored (INT-9, INT-10).
    package func damaged(_ cause: DamageCause) {
        damaged[cause]?.add()
    }

    /// Shows the store's size and limits from now on; once, when the store is open.
    ///
    /// - Parameter sample: Answers from memory, without waiting for a disk.
    package func show(_ sample: @escaping @Sendable () -> Sample) {
        show("cistern_store_size_bytes", "Bytes on disk, each blob once.") {
            sample().sizeBytes
        }
        show("cistern_store_limit_bytes", "Size above which the cache evicts.") {
            sample().limitBytes
        }
        show("cistern_store_filesystem_free_bytes", "Free bytes of the store's file system.") {
            sample().filesystemFreeBytes
        }
        metrics.sampledGauge("cistern_store_objects", help: "Stored objects.", labels: ["kind"]) {
            let sample = sample()
            return [
                Metrics.Sample(Double(sample.blobs), labels: ["blob"]),
                Metrics.Sample(Double(sample.manifests), labels: ["manifest"]),
            ]
        }
    }

    private func show(_ name: String, _ help: String, _ value: @escaping @Sendable () -> Int64?) {
        metrics.sampledGauge(name, help: help) {
            value().map { [Metrics.Sample(Double($0))] } ?? []
        }
    }
}
