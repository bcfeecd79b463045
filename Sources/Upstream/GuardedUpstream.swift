package import Reactor

/// An upstream behind its breaker, with retries (UP-8).
///
/// While the breaker is open every request is refused at once. What fails before its answer is
/// asked again, at most twice, after a pause with full jitter and within `RetryBudget`.
package actor GuardedUpstream: UpstreamClient {
    /// What is reported; called on the loop.
    package struct Events: Sendable {
        /// The breaker changed; with the error or status that made it so.
        package var changed: @Sendable (Breaker.Change, String) -> Void = { _, _ in }
        package var state: @Sendable (Breaker.State) -> Void = { _ in }
        package var retried: @Sendable () -> Void = {}
        package var refused: @Sendable () -> Void = {}

        package init() {}
    }

    /// Bounds on retrying (UP-2, UP-8).
    package struct Limits: Sendable {
        /// From the request to its headers or its error, all retries included.
        package var answer = UpstreamSettings.Timeouts().headers
        package var retriesMax = 2
        package var pauseMin: Duration = .milliseconds(100)
        package var pauseMax: Duration = .seconds(2)
        /// A request that has taken this long already is not repeated: its client has waited
        /// enough, and may have another place to ask.
        package var patience: Duration = .milliseconds(2500)

        package init() {}
    }

    private let inner: any UpstreamClient
    private let loop: EventLoop
    private let events: Events
    private let limits: Limits
    private var breaker: Breaker
    private var budget: RetryBudget
    private var generator: SeededGenerator
    /// Why the breaker opened, for those who are refused.
    private var cause = ""

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        loop.asUnownedSerialExecutor()
    }

    /// Guards `inner`; `seed` decides the jitter, so that a simulated run can be replayed.
    package init(
        _ inner: any UpstreamClient, loop: EventLoop, seed: UInt64, breaker: Breaker = Breaker(),
        limits: Limits = Limits(), events: Events = Events()
    ) {
        self.inner = inner
        self.loop = loop
        self.events = events
        self.limits = limits
        self.breaker = breaker
        budget = RetryBudget(at: loop.now)
        generator = SeededGenerator(seed: seed)
    }

    package func send(_ request: UpstreamRequest) async throws(UpstreamError) -> UpstreamResponse {
        var request = request
        let started = loop.now
        request.deadline = request.deadline ?? started + limits.answer
        let object = request.resource.identity
        budget.earn()
        var result = try await attempt(request, object)
        var retries = 0
        while request.mayBeRepeated, result.isWorthRetrying, retries < limits.retriesMax {
            let pause = jitter(retries)
            guard loop.now + pause - started <= limits.patience, budget.spend(at: loop.now) else {
                break
            }
            if case .success(let response) = result { response.body.cancel() }
            retries += 1
            await loop.sleep(for: pause)
            do throws(UpstreamError) {
                let next = try await attempt(request, object)
                events.retried()
                result = next
            } catch {
                break  // The breaker has opened meanwhile: what is known is the answer.
            }
        }
        return try result.get()
    }

    /// One attempt; throws only when the breaker does not let it through.
    private func attempt(
        _ request: UpstreamRequest, _ object: String
    ) async throws(UpstreamError) -> Result<UpstreamResponse, UpstreamError> {
        let pass: Breaker.Pass
        switch breaker.admit(object, at: loop.now) {
        case .admitted(let admitted): pass = admitted
        case .refused(let retryAfter):
            events.refused()
            throw .breakerOpen(retryAfter: retryAfter, cause: cause)
        }
        events.state(breaker.state)
        let result: Result<UpstreamResponse, UpstreamError>
        do throws(UpstreamError) {
            result = .success(try await inner.send(request))
        } catch {
            result = .failure(error)
        }
        let outcome = result.breakerOutcome
        if let failure = result.failureText, outcome.isFailure { cause = failure }
        if let change = breaker.record(outcome, of: pass, at: loop.now) {
            events.changed(change, cause)
        }
        events.state(breaker.state)
        return result
    }

    /// Somewhere between the shortest pause and one that grows with each retry.
    private func jitter(_ retries: Int) -> Duration {
        let most = min(limits.pauseMax, limits.pauseMin * (5 << (2 * min(retries, 4))))
        let range = limits.pauseMin.wholeNanoseconds...max(limits.pauseMin, most).wholeNanoseconds
        return .nanoseconds(Int64.random(in: range, using: &generator))
    }
}

extension Result<UpstreamResponse, UpstreamError> {
    /// Statuses that say no more than that something is broken for the moment.
    private static var passing: Set<Int> { [500, 502, 503, 504] }

    fileprivate var isWorthRetrying: Bool {
        switch self {
        // An upstream that says when to come back is believed.
        case .success(let response):
            Self.passing.contains(response.status) && response.retryAfter == nil
        case .failure(let error):
            switch error.direct {
            case .connect, .resolve, .reset, .timeout(.connect), .timeout(.resolve): true
            default: false
            }
        }
    }

    /// What the breaker learns: 4xx and 501, 505 and the like are answers.
    fileprivate var breakerOutcome: Breaker.Outcome {
        switch self {
        case .success(let response):
            if response.status == 429 { return .nothing }
            guard response.status >= 500 else { return .success }
            if response.isFromElsewhere { return .success }
            return [501, 505, 506, 510].contains(response.status) ? .success : .objectFailure
        case .failure(let error): return error.breakerOutcome
        }
    }

    fileprivate var failureText: String? {
        switch self {
        case .success(let response): "status \(response.status)"
        case .failure(let error): error.description
        }
    }
}

extension Breaker.Outcome {
    fileprivate var isFailure: Bool {
        switch self {
        case .failure, .objectFailure: true
        case .success, .nothing: false
        }
    }
}

extension UpstreamError {
    /// What it says of the upstream itself; a CDN that fails says that the upstream answered.
    fileprivate var breakerOutcome: Breaker.Outcome {
        switch self {
        case .resolve, .connect, .tls, .tokenFailed: .failure
        case .timeout(.queue), .overloaded, .cancelled, .breakerOpen, .offline: .nothing
        case .spared: .nothing
        case .timeout(.resolve), .timeout(.connect), .timeout(.tls): .failure
        case .timeout(.firstByte), .timeout(.headers), .stalled, .reset, .truncated: .objectFailure
        case .badResponse, .tooLarge: .objectFailure
        case .refusedAddress, .refusedRealm, .tooManyRequests: .nothing
        case .refusedRedirect, .tokenDenied, .elsewhere: .success
        }
    }

    /// The error itself, whether it came from the upstream or from where that sent us.
    fileprivate var direct: UpstreamError {
        if case .elsewhere(let error) = self { return error }
        return self
    }
}

extension UpstreamRequest.Resource {
    /// What tells one object from another, for the breaker.
    fileprivate var identity: String {
        switch self {
        case .manifest(let name, let reference): "\(name) \(reference)"
        case .blob(let name, let digest): "\(name) \(digest)"
        case .tags(let name, _, _), .next(let name, _): "\(name) tags"
        case .referrers(let name, let digest, _): "\(name) referrers \(digest)"
        }
    }
}
