import HTTP
package import OCI
import Reactor

extension UpstreamHead {
    /// `ratelimit-limit` and `ratelimit-remaining` of Docker Hub; nil when neither is there.
    package var rateLimit: RateLimit? {
        let limit = self["ratelimit-limit"].map(Self.quota)
        let remaining = self["ratelimit-remaining"].map(Self.quota)
        guard limit != nil || remaining != nil else { return nil }
        return RateLimit(
            limit: limit?.count, remaining: remaining?.count,
            windowSeconds: limit?.window ?? remaining?.window)
    }

    /// Reads a count and its window, such as `100;w=21600`.
    private static func quota(_ text: String) -> (count: Int?, window: Int?) {
        let parts = text.split(separator: ";").map { $0.filter { $0 != " " } }
        let window = parts.dropFirst().first { $0.hasPrefix("w=") }
        return (parts.first.flatMap { Int($0) }, window.flatMap { Int($0.dropFirst(2)) })
    }

    /// `Retry-After` as a duration from now.
    package func retryAfter(wallSeconds: Int64) -> Duration? {
        self["retry-after"].flatMap { RetryAfter.seconds($0, now: wallSeconds) }
            .map { .seconds($0) }
    }

    /// Checks what a partial answer says about itself; nil for any other status.
    ///
    /// A 206 must continue exactly where it was asked to (protocol.md §10.1), since nobody
    /// downstream could tell.
    package func contentRange(
        offset: Int64
    ) throws(UpstreamError) -> UpstreamResponse.ContentRange? {
        guard status == 206 else { return nil }
        guard offset > 0 else { throw .badResponse("206 without having asked for a range") }
        guard let text = self["content-range"], let range = ContentRange(parsing: text),
            let bounds = range.bounds
        else { throw .badResponse("206 without a usable Content-Range") }
        guard bounds.lowerBound == offset else {
            throw .badResponse("206 from another offset than asked for")
        }
        if let contentLength, contentLength != bounds.upperBound - bounds.lowerBound + 1 {
            throw .badResponse("Content-Range and Content-Length disagree")
        }
        return .init(first: bounds.lowerBound, last: bounds.upperBound, total: range.total)
    }

    /// `Docker-Content-Digest`; one that is no digest is worse than none (INT-8).
    package func digest(isManifest: Bool) throws(UpstreamError) -> Digest? {
        guard let text = self["docker-content-digest"] else { return nil }
        let digest = Digest(parsing: text)
        if digest == nil, isManifest, (200...299).contains(status) {
            throw .badResponse("Docker-Content-Digest is no digest")
        }
        return digest
    }
}
