import OCI
import Reactor
import Synchronization
import Testing

@testable import Upstream

/// What an upstream lets itself be asked (UP-5).
struct BudgetTests {
    private let now = Instant(nanoseconds: 1_000_000_000_000)

    @Test func aPauseIsWhatWasAskedForWithinBounds() {
        let cases: [(Duration?, Duration)] = [
            (nil, .seconds(60)), (.zero, .seconds(1)), (.seconds(30), .seconds(30)),
            (.seconds(7200), .seconds(900)), (.seconds(Int64.max), .seconds(900)),
        ]
        for (asked, given) in cases {
            var budget = RequestBudget()
            #expect(budget.limited(.manifest, retryAfter: asked, at: now) == now + given)
            #expect(budget.pause(of: .manifest, at: now) == given)
            #expect(budget.pause(of: .blob, at: now) == nil)
            #expect(budget.pause(of: .manifest, at: now + given) == nil)
        }
    }

    @Test func aPauseIsNeverShortened() {
        var budget = RequestBudget()
        _ = budget.limited(.manifest, retryAfter: .seconds(300), at: now)
        _ = budget.limited(.manifest, retryAfter: .seconds(5), at: now)
        #expect(budget.pause(of: .manifest, at: now) == .seconds(300))
        _ = budget.limited(nil, retryAfter: .seconds(20), at: now)
        #expect(budget.pause(of: .manifest, at: now) == .seconds(300))
        #expect(budget.pause(of: .blob, at: now) == .seconds(20))
        #expect(budget.pause(of: .list, at: now) == .seconds(20))
    }

    @Test func theLastTenthIsForWhatNobodyHas() {
        let cases: [(limit: Int?, left: Int, isScarce: Bool)] = [
            (100, 10, false), (100, 9, true), (100, 0, true), (40, 5, false), (40, 4, true),
            (6, 3, false), (6, 2, true), (1, 1, false), (1, 0, true), (nil, 5, false),
            (nil, 4, true), (Int.max, 1000, true), (0, 0, true), (-1, 3, true),
        ]
        for (limit, left, isScarce) in cases {
            var budget = RequestBudget()
            budget.take(RateLimit(limit: limit, remaining: left, windowSeconds: 60), at: now)
            let found = budget.scarcePulls(at: now)
            #expect((found == left) == isScarce, "\(left) of \(limit ?? -1)")
            #expect(budget.scarcePulls(at: now + .seconds(60)) == nil, "a window later")
        }
    }

    @Test func nonsenseAboutPullsLeftIsNotBelieved() {
        var budget = RequestBudget()
        budget.take(RateLimit(limit: 100, remaining: -3, windowSeconds: nil), at: now)
        budget.take(RateLimit(limit: 100, remaining: nil, windowSeconds: nil), at: now)
        #expect(budget.scarcePulls(at: now) == nil)
        budget.take(RateLimit(limit: 100, remaining: 1, windowSeconds: Int.max), at: now)
        #expect(budget.scarcePulls(at: now) == 1)
        #expect(budget.scarcePulls(at: now + .seconds(86_400)) == nil)
    }

    // MARK: - The client around it

    @Test func nothingIsSentBeforeAPauseIsOver() throws {
        let sim = try BudgetSimulation()
        sim.base.answer = .status(429, retryAfter: .seconds(300))
        #expect(sim.send(.manifest("a", "1")) == .status(429))
        #expect(sim.paused == [300])
        sim.base.answer = .status(200)
        for seconds in [0, 100, 199] as [Int64] {
            sim.loop.advance(by: .seconds(seconds))
            #expect(sim.send(.manifest("b", "1"), .head).isRefused)
            #expect(sim.send(.manifest("b", "1")).isRefused)
        }
        #expect(sim.base.count == 1)
        #expect(sim.send(.blob("a")) == .status(200), "blobs are counted by somebody else")
        sim.loop.advance(by: .seconds(1))
        #expect(sim.send(.manifest("b", "1")) == .status(200))
    }

    @Test func aTokenEndpointThatLimitsPausesEverything() throws {
        let sim = try BudgetSimulation()
        sim.base.answer = .tokenLimited
        #expect(sim.send(.blob("a")).isRefused)
        sim.base.answer = .status(200)
        #expect(sim.send(.manifest("a", "1")).isRefused)
        #expect(sim.base.count == 1)
    }

    @Test func onlyWhatCanWaitIsSparedWhenFewPullsAreLeft() throws {
        let sim = try BudgetSimulation()
        sim.base.answer = .left(4)
        #expect(sim.send(.manifest("a", "1")) == .status(200))
        #expect(sim.send(.manifest("a", "1"), isDispensable: true) == .spared)
        #expect(sim.send(.manifest("a", "1")) == .status(200))
        // HEAD costs nothing, and tells when there are more again.
        sim.base.answer = .left(90)
        #expect(sim.send(.manifest("a", "1"), .head) == .status(200))
        #expect(sim.send(.manifest("a", "1"), isDispensable: true) == .status(200))
    }
}

/// A budgeted upstream on a simulated loop.
private final class BudgetSimulation {
    enum Outcome: Equatable, Sendable {
        case status(Int)
        case refused, spared, failed
        var isRefused: Bool { self == .refused }
    }

    let clock = ManualClock()
    let loop: EventLoop
    let base = ScriptedUpstream()
    private let upstream: BudgetedUpstream
    private let heard = Recorder<Int64>()

    init() throws {
        loop = EventLoop(simulating: 1, clock: clock)
        let (heard, wall) = (heard, loop.clock.dateSeconds)
        upstream = BudgetedUpstream(base, loop: loop) { heard.append($0 - wall) }
    }

    /// Ends of pauses, in seconds since the start.
    var paused: [Int64] { heard.all }

    func send(
        _ resource: UpstreamRequest.Resource, _ method: UpstreamRequest.Method = .get,
        isDispensable: Bool = false
    ) -> Outcome {
        let box = Box()
        var request = UpstreamRequest(method, resource)
        request.isDispensable = isDispensable
        loop.spawn { [upstream, request] in
            do throws(UpstreamError) {
                let status = try await upstream.send(request).status
                box.outcome.withLock { $0 = .status(status) }
            } catch {
                switch error {
                case .tooManyRequests: box.outcome.withLock { $0 = .refused }
                case .spared: box.outcome.withLock { $0 = .spared }
                default: break
                }
            }
        }
        loop.runUntilIdle()
        return box.outcome.withLock { $0 }
    }

    private final class Box: Sendable {
        let outcome = Mutex(Outcome.failed)
    }
}

private final class ScriptedUpstream: UpstreamClient {
    enum Answer {
        case status(Int, retryAfter: Duration? = nil)
        case left(Int)
        case tokenLimited
    }

    private let state = Mutex((answer: Answer.status(200), count: 0))

    var answer: Answer {
        get { state.withLock { $0.answer } }
        set { state.withLock { $0.answer = newValue } }
    }
    var count: Int { state.withLock { $0.count } }

    func send(_ request: UpstreamRequest) async throws(UpstreamError) -> UpstreamResponse {
        let answer = state.withLock { state in
            state.count += 1
            return state.answer
        }
        switch answer {
        case .status(let status, let retryAfter):
            return UpstreamResponse(status: status, retryAfter: retryAfter)
        case .left(let left):
            let limit = RateLimit(limit: 100, remaining: left, windowSeconds: 21_600)
            return UpstreamResponse(status: 200, rateLimit: limit)
        case .tokenLimited: throw .tooManyRequests(retryAfter: .seconds(9))
        }
    }
}

extension UpstreamRequest.Resource {
    fileprivate static func manifest(_ name: String, _ tag: String) -> Self { .tag(name, tag) }
    fileprivate static func blob(_ name: String) -> Self { .layer(name) }
}
