package import Reactor
import Synchronization

/// An upstream that is asked no more than it allows (UP-5).
///
/// After a 429 nothing of the same kind is sent before `Retry-After` is over, whoever asks; what
/// can wait (`UpstreamRequest.isDispensable`) is not sent while few pulls are left. Stands directly
/// on the client of one upstream and one login: another upstream, or another login, has a budget of
/// its own.
package final class BudgetedUpstream: UpstreamClient {
    private let base: any UpstreamClient
    private let loop: EventLoop
    private let paused: @Sendable (_ until: Int64) -> Void
    private let budget = Mutex(RequestBudget())

    /// Wraps `base`; `paused` hears the end of each pause, in seconds since 1970.
    package init(
        _ base: any UpstreamClient, loop: EventLoop,
        paused: @escaping @Sendable (_ until: Int64) -> Void = { _ in }
    ) {
        self.base = base
        self.loop = loop
        self.paused = paused
    }

    /// Sends unless the upstream has asked not to.
    ///
    /// - Throws: `tooManyRequests` with what is left of a pause, `spared` for what can wait, and
    ///   whatever the upstream's client throws.
    package func send(_ request: UpstreamRequest) async throws(UpstreamError) -> UpstreamResponse {
        let kind = RequestBudget.Kind(request.resource)
        try check(request, kind)
        let response: UpstreamResponse
        do throws(UpstreamError) {
            response = try await base.send(request)
        } catch {
            // The token endpoint's word: without a token nothing can be asked.
            if case .tooManyRequests(let retryAfter) = error { pause(nil, retryAfter) }
            throw error
        }
        if let limit = response.rateLimit {
            let now = loop.now
            budget.withLock { $0.take(limit, at: now) }
        }
        if response.status == 429 { pause(kind, response.retryAfter) }
        return response
    }

    private func check(
        _ request: UpstreamRequest, _ kind: RequestBudget.Kind
    ) throws(UpstreamError) {
        let now = loop.now
        let (pause, scarce) = budget.withLock {
            ($0.pause(of: kind, at: now), $0.scarcePulls(at: now))
        }
        if let pause { throw .tooManyRequests(retryAfter: pause) }
        if request.isDispensable, let scarce { throw .spared(left: scarce) }
    }

    private func pause(_ kind: RequestBudget.Kind?, _ retryAfter: Duration?) {
        let now = loop.now
        let until = budget.withLock { $0.limited(kind, retryAfter: retryAfter, at: now) }
        paused(loop.clock.dateSeconds + (until - now).components.seconds)
    }
}
