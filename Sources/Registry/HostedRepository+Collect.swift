import Index
import OCI
import Reactor

/// Letting go of what no rule keeps and nothing needs: online, one small transaction at a time.
///
/// What is let go can be had by nobody any more; its bytes go when their space is needed.
extension HostedRepository {
    /// Names whose tags are looked at together.
    private static let namesPerPage = 100

    /// Deletes tags that are neither among the newest nor young enough, with the manifests that
    /// only they kept.
    package func expireTags() async {
        guard policy.keepLast != nil || policy.keepNewerThan != nil else { return }
        let before = policy.keepNewerThan.map {
            content.loop.clock.wallSeconds.subtractingReportingOverflow($0.components.seconds)
                .partialValue
        }
        var last = ""
        while true {
            let page = await names(after: last, limit: Self.namesPerPage)
            for name in page.compactMap({ RepositoryName(parsing: $0) }) {
                _ = try? await content.index.expireTags(
                    repository: scope.key, name: name, keepingLast: policy.keepLast,
                    boundBefore: before)
            }
            guard let end = page.last, page.count == Self.namesPerPage else { return }
            last = end
        }
    }
}

extension Content {
    /// Lets go of hosted blobs that no manifest of their name needs and whose lease is over (P12).
    package func collectHosted() async {
        let before = loop.clock.wallSeconds - HostedPolicy.lease.components.seconds
        var last: Int64 = -1
        while let found = try? await index.collect(after: last, linkedBefore: before) {
            last = found.repository
        }
    }
}
