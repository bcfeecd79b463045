import Reactor
import Testing

@testable import Upstream

/// When an upstream is no longer asked, and when it is again (UP-8).
@Suite struct BreakerTests {
    private var breaker = Breaker()
    private var now = Instant(nanoseconds: 1_000_000_000_000)

    /// Asks and reports; false when the breaker refused.
    @discardableResult
    private mutating func ask(_ outcome: Breaker.Outcome, _ object: String = "a") -> Bool {
        guard case .admitted(let pass) = breaker.admit(object, at: now) else { return false }
        _ = breaker.record(outcome, of: pass, at: now)
        return true
    }

    private mutating func refusal(_ object: String = "a") -> Duration? {
        guard case .refused(let retryAfter) = breaker.admit(object, at: now) else { return nil }
        return retryAfter
    }

    @Test mutating func fiveFailuresInARowOpenIt() {
        for _ in 0..<4 { #expect(ask(.failure)) }
        #expect(ask(.success))
        for _ in 0..<5 { #expect(ask(.failure)) }
        #expect(breaker.state == .open)
        #expect(refusal() == .seconds(5))
    }

    @Test mutating func halfOfTwentyWithinTenSecondsOpenIt() {
        for number in 0..<19 {
            ask(number.isMultiple(of: 2) ? .failure : .success)
            now = now + .milliseconds(400)
        }
        #expect(breaker.state == .closed)
        ask(.failure)
        #expect(breaker.state == .open)
    }

    @Test mutating func oldFailuresAreForgotten() {
        for number in 0..<60 {
            ask(number.isMultiple(of: 2) ? .failure : .success)
            now = now + .seconds(1)
        }
        #expect(breaker.state == .closed)
    }

    @Test mutating func oneProbeAtATimeDecides() throws {
        for _ in 0..<5 { ask(.failure) }
        now = now + .seconds(5)
        guard case .admitted(let probe) = breaker.admit("b", at: now) else {
            Issue.record("no probe")
            return
        }
        #expect(breaker.state == .halfOpen)
        #expect(refusal() != nil)
        #expect(breaker.record(.success, of: probe, at: now) == .closed)
        for _ in 0..<4 { #expect(ask(.failure)) }
        #expect(breaker.state == .closed)
    }

    @Test mutating func pausesDoubleUpToAMinute() {
        for _ in 0..<5 { ask(.failure) }
        for expected: Int64 in [5, 10, 20, 40, 60, 60] {
            #expect(refusal() == .seconds(expected))
            now = now + .seconds(expected)
            #expect(ask(.failure))
        }
        now = now + .seconds(60)
        #expect(ask(.success))
        for _ in 0..<5 { ask(.failure) }
        #expect(refusal() == .seconds(5), "it begins afresh")
    }

    @Test mutating func aProbeThatSaysNothingIsFollowedByAnother() {
        for _ in 0..<5 { ask(.failure) }
        now = now + .seconds(5)
        #expect(ask(.nothing))
        #expect(ask(.success))
        #expect(breaker.state == .closed)
    }

    @Test mutating func answersToEarlierRequestsDecideNothing() {
        var passes: [Breaker.Pass] = []
        for _ in 0..<6 {
            if case .admitted(let pass) = breaker.admit("a", at: now) { passes.append(pass) }
        }
        for pass in passes.prefix(5) { _ = breaker.record(.failure, of: pass, at: now) }
        #expect(breaker.record(.success, of: passes[5], at: now) == nil)
        #expect(breaker.state == .open)
    }

    // UP-7: no single object blocks others.
    @Test mutating func anObjectThatAlwaysFailsIsPausedAlone() {
        for _ in 0..<5 { #expect(ask(.objectFailure, "bad")) }
        #expect(refusal("bad") == .seconds(5))
        #expect(breaker.state == .closed)
        #expect(ask(.success, "good"))
        now = now + .seconds(5)
        #expect(ask(.objectFailure, "bad"))
        #expect(refusal("bad") == .seconds(10))
        now = now + .seconds(10)
        #expect(ask(.success, "bad"))
        #expect(refusal("bad") == nil)
    }

    @Test mutating func objectsThatFailTogetherAreTheUpstreamsFault() {
        for _ in 0..<5 { #expect(ask(.objectFailure, "bad")) }
        #expect(ask(.objectFailure, "other"))
        #expect(breaker.state == .open)
        #expect(refusal("third") == .seconds(5))
    }

    @Test func retriesAreATenthOfRequestsAndAFew() {
        var budget = RetryBudget(at: now)
        var spent = 0
        for _ in 0..<1000 {
            budget.earn()
            if budget.spend(at: now) { spent += 1 }
        }
        #expect((100...110).contains(spent), "\(spent)")
        let (atOnce, later) = (budget.spend(at: now), budget.spend(at: now + .seconds(6)))
        #expect(!atOnce)
        #expect(later, "one every five seconds all the same")
    }
}
