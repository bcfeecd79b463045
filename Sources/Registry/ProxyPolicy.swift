package import OCI

/// What the configuration says of one proxy, apart from how its upstream is reached.
package struct ProxyPolicy: Sendable, Equatable {
    /// How long a tag is believed without asking.
    package var tagTTL: Duration
    /// How long a missing tag is believed to be missing (UP-5).
    package var missingTTL: Duration
    /// How old a tag may be that is served while the upstream fails (UP-6).
    package var staleMax: Duration
    /// How often an interrupted blob is resumed (UP-4).
    package var resumesMax: Int
    /// Largest manifest, in bytes (RES-2).
    package var manifestBytesMax: Int
    /// Largest blob, in bytes (RES-2).
    package var blobBytesMax: Int64
    /// Whether the upstream is never asked: a tag is served as it is at any age.
    package var isOffline = false
    /// Whether names of one component stand below `library/` (Docker Hub).
    package var implicitLibrary: Bool

    /// Image names that are served at all, and of those the ones that are not (AUTH-10).
    package var allow: [NamePattern] = []
    package var deny: [NamePattern] = []

    package init(
        tagTTL: Duration = .seconds(900), missingTTL: Duration = .seconds(30),
        staleMax: Duration = .seconds(30 * 86_400), resumesMax: Int = 3,
        manifestBytesMax: Int = 4 << 20, blobBytesMax: Int64 = 64 << 30,
        implicitLibrary: Bool = false
    ) {
        self.tagTTL = tagTTL
        self.missingTTL = missingTTL
        self.staleMax = staleMax
        self.resumesMax = resumesMax
        self.manifestBytesMax = manifestBytesMax
        self.blobBytesMax = blobBytesMax
        self.implicitLibrary = implicitLibrary
    }

    /// How long a missing blob is believed to be missing (UP-5).
    static let missingBlobTTL = Duration.seconds(10)
    /// How long a refusal is believed (UP-5).
    static let deniedTTL = Duration.seconds(60)
    /// How long a tag that has moved is left as it was, to spare a pull.
    static let sparedTTL = Duration.seconds(60)
    /// Within this a client has headers or an error (UP-2).
    static let answerBound = Duration.milliseconds(13_500)
    /// Blobs up to this size are verified before the status line (INT-2).
    static let verifiedFirstBytesMax: Int64 = 256 << 10
    /// How long after a mismatch a resumed body of the digest is refused (INT-4).
    static let corruptRangePause = Duration.seconds(60)
    /// How long a blob of unknown size that did not fit is passed through (RES-9).
    static let outgrownPause = Duration.seconds(600)
    /// A fetch without readers goes on when it is no larger than this (UP-3).
    static let abandonedBytesMax: Int64 = 64 << 20
    /// How long a fetch waits for a reader before it is given up (UP-3).
    static let abandonedGrace = Duration.seconds(10)
}
