package import OCI
import Reactor

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
            row.bind(4, Int64(list.count))
            row.bind(5, time)
            try row.run()
            let old = try connection.statement(.dropOldReferrers)
            old.bind(1, Self.keptReferrersBytesMax)
            try old.run()
        }
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
