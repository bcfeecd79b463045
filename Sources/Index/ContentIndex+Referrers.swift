package import OCI
import Reactor
import Synchronization

/// A part of what refers to a manifest, in the order of the digests.
package struct ReferrersPage: Equatable, Sendable {
    package var rows: [ReferrerRow] = []
    /// Whether there are more behind the last.
    package var hasMore = false

    package init() {}
}

/// What refers to what: of stored manifests, and as upstreams told it.
extension ContentIndex {
    /// Bytes of all lists that are kept of upstreams; the oldest go first.
    package static let keptReferrersBytesMax: Int64 = 64 << 20
    /// What is left of them when there are more: adding them up looks at all, so not every time.
    private static let keptReferrersBytesLeft = keptReferrersBytesMax / 8 * 7
    /// What a row and its places in two indexes take besides the list, in bytes.
    package static let keptReferrersOverhead: Int64 = 256

    /// Manifests linked in the repository whose subject is `subject`, behind `last`.
    ///
    /// At most `limit`, and no more once their annotations have `bytesMax` bytes.
    package func referrers(
        repository: String, name: RepositoryName, subject: Digest, artifactType: String? = nil,
        after last: Digest? = nil, limit: Int, bytesMax: Int = .max
    ) throws(IndexError) -> ReferrersPage {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.referrers)
            row.bind(1, repository)
            row.bind(2, name.text)
            row.bind(3, subject)
            row.bind(4, artifactType)
            if let last { row.bind(5, last) } else { row.bind(5, [UInt8]()) }
            row.bind(6, Int64(max(limit, 0)) + 1)
            var page = ReferrersPage()
            var bytes = 0
            while try row.step() {
                guard let digest = row.digest(0) else { continue }
                let annotations = row.text(4)
                bytes += annotations?.utf8.count ?? 0
                if page.rows.count == limit || (bytes > bytesMax && !page.rows.isEmpty) {
                    page.hasMore = true
                    break
                }
                page.rows.append(
                    ReferrerRow(
                        digest: digest, mediaType: row.text(1) ?? "", size: row.integer(2),
                        artifactType: row.text(3), annotations: annotations))
            }
            return page
        }
    }

    /// Keeps what an upstream said refers to `subject`, for when it cannot be asked.
    package func keepReferrers(
        repository: String, name: RepositoryName, subject: Digest, _ list: [UInt8]
    ) async throws(IndexError) {
        let time = clock.wallSeconds
        try await write { connection throws(IndexError) in
            let row = try connection.statement(.keepReferrers)
            row.bind(1, try connection.repository(repository, name))
            row.bind(2, subject)
            row.bind(3, list)
            row.bind(4, Int64(list.count) + Self.keptReferrersOverhead)
            row.bind(5, time)
            try row.run()
            try self.boundReferrers(connection, adding: Int64(list.count))
        }
    }

    /// Lets the oldest lists go when there are too many.
    ///
    /// What is counted may be too much, as what a list took the place of is not taken off: it is
    /// added up again before anything goes.
    private func boundReferrers(
        _ connection: Connection, adding bytes: Int64
    ) throws(IndexError) {
        let known = keptReferrersBytes.load(ordering: .relaxed)
        var total = known + bytes + Self.keptReferrersOverhead
        if known < 0 || total > Self.keptReferrersBytesMax {
            total = try connection.total(.keptReferrersTotal)
        }
        if total > Self.keptReferrersBytesMax {
            let old = try connection.statement(.dropOldReferrers)
            old.bind(1, Self.keptReferrersBytesLeft)
            try old.run()
            total = try connection.total(.keptReferrersTotal)
        }
        keptReferrersBytes.store(total, ordering: .relaxed)
    }

    /// What the upstream last said refers to `subject`; nil if it was never asked.
    package func keptReferrers(
        repository: String, name: RepositoryName, subject: Digest
    ) throws(IndexError) -> [UInt8]? {
        try read { connection throws(IndexError) in
            let row = try connection.statement(.keptReferrers)
            row.bind(1, repository)
            row.bind(2, name.text)
            row.bind(3, subject)
            return try row.step() ? row.bytes(0) : nil
        }
    }
}

extension Connection {
    fileprivate func total(_ query: Query) throws(IndexError) -> Int64 {
        let row = try statement(query)
        return try row.step() ? row.integer(0) : 0
    }
}
