import OCI
package import Reactor

/// Several upstreams of one registry, asked in order: caches and mirrors first, the registry itself
/// last.
///
/// An upstream that cannot be asked, fails, limits or is left alone by its breaker is passed over,
/// and so is one that lacks what is asked for or denies it: only the last one's no is final. Each
/// has its own client and so its own login, tokens and connections (CRED-2, CRED-4).
package final class UpstreamChain: UpstreamClient {
    private let members: [any UpstreamClient]
    private let loop: EventLoop
    /// From a request to its headers or its error, whoever gives them (UP-2).
    private let bound: Duration

    /// Asks `members` in this order; there must be at least one.
    package init(
        _ members: [any UpstreamClient], loop: EventLoop,
        within bound: Duration = UpstreamSettings.Timeouts().headers
    ) {
        precondition(!members.isEmpty, "a proxy without an upstream")
        self.members = members
        self.loop = loop
        self.bound = bound
    }

    package func send(_ request: UpstreamRequest) async throws(UpstreamError) -> UpstreamResponse {
        let deadline = min(request.deadline ?? .endOfTime, loop.now + bound)
        // A page's successor is a link of the member that gave it.
        if case .next(let name, let link) = request.resource {
            return try await next(request, name, link, deadline)
        }
        let order = order(request)
        for (position, member) in order.dropLast().enumerated() {
            let now = loop.now
            var attempt = attempt(request, by: now + share(deadline - now, order.count - position))
            // The next one is the better second attempt.
            attempt.mayBeRepeated = false
            do throws(UpstreamError) {
                let response = try await members[member].send(attempt)
                if response.isLastWord { return marked(response, member) }
                response.body.cancel()
            } catch {
                guard error.isPassedOver else { throw error }
            }
        }
        let last = order[order.count - 1]
        return marked(try await members[last].send(attempt(request, by: deadline)), last)
    }

    /// All members, the first of which did not bring an interrupted body to its end.
    private func order(_ request: UpstreamRequest) -> [Int] {
        let indices = Array(members.indices)
        let shift = request.resumption % indices.count
        return Array(indices[shift...] + indices[..<shift])
    }

    /// The request for one member.
    private func attempt(_ request: UpstreamRequest, by deadline: Instant) -> UpstreamRequest {
        var attempt = request
        attempt.deadline = deadline
        // An entity tag means nothing to others than who gave it; the digest decides anyway.
        if members.count > 1 { attempt.ifRange = nil }
        return attempt
    }

    /// How long one of `count` members may take: what is left, shared so that the last has half.
    private func share(_ left: Duration, _ count: Int) -> Duration {
        count > 1 ? left / 2 : left
    }

    // MARK: - Pages

    private func marked(_ response: UpstreamResponse, _ member: Int) -> UpstreamResponse {
        guard members.count > 1, let link = response.next else { return response }
        var response = response
        response.next = "\(member) \(link)"
        return response
    }

    private func next(
        _ request: UpstreamRequest, _ name: RepositoryName, _ link: String, _ deadline: Instant
    ) async throws(UpstreamError) -> UpstreamResponse {
        guard members.count > 1 else { return try await members[0].send(request) }
        let parts = link.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, let member = Int(parts[0]), members.indices.contains(member) else {
            throw .badResponse("a page that follows none")
        }
        var request = attempt(request, by: deadline)
        request.resource = .next(name, link: String(parts[1]))
        return marked(try await members[member].send(request), member)
    }
}

extension UpstreamResponse {
    /// Whether no other upstream is asked after this answer.
    fileprivate var isLastWord: Bool {
        switch status {
        // 416: of a blob whose rest is asked for it has less.
        case 416, 401, 403, 404, 410, 429, 500...599: false
        default: true
        }
    }
}

extension UpstreamError {
    /// Whether another upstream may do better.
    fileprivate var isPassedOver: Bool {
        switch self {
        case .cancelled: false
        default: true
        }
    }
}
