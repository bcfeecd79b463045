import Index
import OCI
import Reactor
import Telemetry

/// Letting go of what no rule keeps and nothing needs: online, one small transaction at a time.
///
/// What is let go can be had by nobody any more; its bytes go when their space is needed.
extension HostedRepository {
    /// What it takes on disk, each blob once, in bytes; nil if the index cannot tell.
    package func disk() async -> Int64? {
        await content.workers.run { [self] in
            try? content.index.hostedDisk(repository: scope.key)
        }
    }

    /// Names whose tags are looked at together.
    private static let namesPerPage = 100

    /// Deletes tags that are neither among the newest nor young enough, with the manifests that
    /// only they kept, and manifests that no tag has any more and nothing refers to.
    ///
    /// Manifests that were asked for, or pushed without a tag, within the time of a `lease` stay.
    package func expireTags(lease: Duration) async {
        guard policy.keepLast != nil || policy.keepNewerThan != nil else { return }
        func time(_ age: Duration) -> Int64 {
            content.loop.clock.wallSeconds.subtractingReportingOverflow(age.components.seconds)
                .partialValue
        }
        let before = policy.keepNewerThan.map(time)
        let leased = time(lease)
        var last = ""
        while true {
            let page = await names(after: last, limit: Self.namesPerPage)
            for name in page.compactMap({ RepositoryName(parsing: $0) }) {
                let gone = try? await content.index.expireTags(
                    repository: scope.key, name: name, keepingLast: policy.keepLast,
                    boundBefore: before,
                    untaggedBefore: time(max(lease, policy.keepNewerThan ?? lease))
                ) { [leases = content.leases] repository, name, digest in
                    leases.end(repository, name, digest, unlessToldSince: leased)
                }
                content.leases.settle()
                if let gone, gone.tags > 0 { tell(.collected(.tag, gone.tags)) }
                if let gone, gone.manifests > 0 { tell(.collected(.manifest, gone.manifests)) }
            }
            guard let end = page.last, page.count == Self.namesPerPage else { return }
            last = end
        }
    }
}

extension Content {
    /// How long after a start nothing is let go that somebody may have been told of before it, in
    /// seconds; a shorter lease is enough, too.
    private static let toldBeforeStart: Int64 = 600

    /// Lets go of hosted blobs that no manifest of their name needs and whose lease is over: they
    /// were pushed, and asked for, before that (P12).
    package func collectHosted(lease: Duration) async {
        let now = loop.clock.wallSeconds
        let before = now - lease.components.seconds
        // Whom the process before this one told of a blob is not known: they get some time.
        guard before >= began || now - began >= Self.toldBeforeStart else { return }
        var last: Int64 = -1
        while true {
            let found = try? await index.collect(after: last, linkedBefore: before) {
                [leases] repository, name, digest in
                leases.end(repository, name, digest, unlessToldSince: before)
            }
            leases.settle()
            guard let found else { return }
            last = found.repository
            if found.count > 0 {
                events.hosted(HostedKey.name(found.key), .collected(.blob, found.count))
            }
        }
    }
}
