package import OCI

/// Which of the manifests that refer to another are asked for.
package struct ReferrersQuery: Sendable {
    /// Most of one page.
    package static let countMax = 1000
    /// Bytes of one page, about, unless a single one has more: clients refuse more than 4 MiB.
    static let pageBytesMax = 1 << 20

    package var subject: Digest
    /// Only those of this type; nil for all.
    package var artifactType: String?
    /// Only those behind this one.
    package var last: Digest?
    package var count: Int

    package init(
        _ subject: Digest, artifactType: String? = nil, last: Digest? = nil,
        count: Int = ReferrersQuery.countMax
    ) {
        self.subject = subject
        self.artifactType = artifactType
        self.last = last
        self.count = min(max(count, 1), Self.countMax)
    }
}

/// A page of a referrers index, in the order of the digests.
package struct ReferrersAnswer: Sendable {
    /// The index as JSON.
    package var bytes: [UInt8]
    /// Where the next page begins, if there is one: behind this.
    package var next: Digest?
    package var outcome: CacheOutcome
}

/// All that refers to a manifest, or a part of it that is known to end somewhere.
struct ReferrersList: Sendable {
    /// Each once, in the order of their digests.
    private(set) var descriptors: [Descriptor] = []
    /// What comes behind this is not all there.
    private(set) var end: Digest?

    /// Puts lists together; of a manifest that several name the first one's word counts.
    init(merging lists: [(descriptors: [Descriptor], hasMore: Bool)]) {
        var seen: Set<Digest> = []
        for list in lists {
            descriptors += list.descriptors.filter { seen.insert($0.digest).inserted }
            if list.hasMore, let last = list.descriptors.last?.digest {
                end = min(end ?? last, last)
            }
        }
        descriptors.sort { $0.digest < $1.digest }
    }

    /// The page that a query asks for.
    func page(_ query: ReferrersQuery, _ outcome: CacheOutcome) -> ReferrersAnswer {
        var page: [Descriptor] = []
        var bytes = 0
        var isCut = false
        for descriptor in descriptors {
            if let last = query.last, descriptor.digest <= last { continue }
            if let end, descriptor.digest > end { break }
            if let type = query.artifactType, descriptor.artifactType ?? "" != type { continue }
            bytes += descriptor.listedBytes
            if page.count == query.count || (bytes > ReferrersQuery.pageBytesMax && !page.isEmpty) {
                isCut = true
                break
            }
            page.append(descriptor)
        }
        let next = isCut ? page.last?.digest : end
        return ReferrersAnswer(
            bytes: ReferrersIndex(page).encode(), next: next, outcome: outcome)
    }
}

extension Descriptor {
    /// What it takes in a list, about, in bytes.
    var listedBytes: Int {
        annotations.reduce(256) { $0 + $1.key.utf8.count + $1.value.utf8.count + 8 }
    }
}
