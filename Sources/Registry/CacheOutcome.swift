package import Telemetry

/// What the cache did for one answer: for `Cache-Status`, the access log and the metrics.
package struct CacheOutcome: Sendable, Equatable {
    package var kind: CacheResult
    /// The upstream's status, when it was asked and answered.
    package var forwardStatus: Int?
    /// Whether what was fetched is kept.
    package var stored = false
    /// For how many seconds a tag is still believed.
    package var ttl: Int64?
    /// Why a stale copy is served.
    package var detail: String?
    /// `Cache-Status` of the answer that was fetched: what caches further up did.
    package var parent: String?

    package init(
        _ kind: CacheResult, forwardStatus: Int? = nil, stored: Bool = false, ttl: Int64? = nil,
        detail: String? = nil
    ) {
        self.kind = kind
        self.forwardStatus = forwardStatus
        self.stored = stored
        self.ttl = ttl
        self.detail = detail
    }

    package static let hit = CacheOutcome(.hit)
    /// `detail` of a tag that nobody was asked about because nobody ever is.
    package static let offline = "offline"

    /// The same answer as seen by somebody who joined the fetch.
    var joined: CacheOutcome {
        guard kind == .miss || kind == .revalidated else { return self }
        var outcome = self
        outcome.kind = .coalesced
        return outcome
    }
}
