import Linux
import Reactor
import Synchronization
import TestSupport
import Testing

@testable import Access

/// How many passwords are checked at once, and what others do meanwhile (AUTH-9).
@Suite struct PasswordChecksTests {
    /// A slow hash: each check waits until it is let go.
    private final class Hash: Sendable {
        let state = Monitor((running: 0, most: 0, ran: 0, isOpen: false))

        func matches(_ password: [UInt8], _ hash: String) -> Bool {
            state.with {
                $0.running += 1
                $0.ran += 1
                $0.most = max($0.most, $0.running)
            }
            state.wait(.seconds(20)) { $0.isOpen }
            state.with { $0.running -= 1 }
            return Array(hash.utf8) == password
        }
    }

    private func verdicts(
        _ checks: PasswordChecks, _ loop: EventLoop, _ passwords: [[UInt8]]
    ) -> Monitor<[PasswordChecks.Verdict]> {
        let verdicts = Monitor<[PasswordChecks.Verdict]>([])
        for password in passwords {
            loop.spawn {
                let verdict = await checks.check(
                    [1], password, against: "right", mayBeRight: true, on: loop)
                verdicts.with { $0.append(verdict) }
            }
        }
        return verdicts
    }

    @Test func fourAtOnceAndOthersWaitTwoSecondsAtMost() throws {
        let hash = Hash()
        let loop = try EventLoop.start(name: "loop")
        defer { loop.stop() }
        let hashers = try WorkerPool(threads: Authenticator.hashersMax, name: "login")
        let checks = PasswordChecks(hashers: hashers, keyed: KeyedHash(), matches: hash.matches)
        let watch = Stopwatch()
        let found = verdicts(checks, loop, (0..<20).map { [UInt8($0)] })
        found.wait(.seconds(20)) { $0.count == 20 }
        #expect(found.read { $0.allSatisfy { $0 == .busy } && $0.count == 20 })
        #expect(watch.elapsed >= .seconds(2))
        #expect(hash.state.read { $0.most == 4 })
        hash.state.with { $0.isOpen = true }
        let right = verdicts(checks, loop, [Array("right".utf8)])
        right.wait(.seconds(20)) { $0.count == 1 }
        #expect(right.read { $0 } == [.right])
        #expect(hash.state.read { $0.ran } == 5, "what nobody waits for is not done")
    }

    @Test func theSameLoginIsCheckedOnceAndRemembered() throws {
        let hash = Hash()
        hash.state.with { $0.isOpen = true }
        let clock = ManualClock()
        let loop = EventLoop(simulating: 3, clock: clock)
        let checks = PasswordChecks(
            hashers: WorkerPool(simulatedOn: loop), keyed: KeyedHash(), matches: hash.matches)
        let right = Array("right".utf8)
        let found = verdicts(checks, loop, Array(repeating: right, count: 20))
        loop.runUntilIdle()
        #expect(found.read { $0 } == Array(repeating: .right, count: 20))
        #expect(hash.state.read { $0.ran } == 1)
        let wrong = verdicts(checks, loop, [[1], [1], [2]])
        loop.runUntilIdle()
        #expect(wrong.read { $0 } == [.wrong, .wrong, .wrong])
        clock.advance(by: .seconds(301))
        _ = verdicts(checks, loop, [right])
        loop.runUntilIdle()
        #expect(hash.state.read { $0.ran } == 4)
    }

    @Test func aNameThatDoesNotExistIsCheckedAllTheSame() throws {
        let hash = Hash()
        hash.state.with { $0.isOpen = true }
        let loop = EventLoop(simulating: 3, clock: ManualClock())
        let checks = PasswordChecks(
            hashers: WorkerPool(simulatedOn: loop), keyed: KeyedHash(), matches: hash.matches)
        let verdict = Monitor<PasswordChecks.Verdict?>(nil)
        loop.spawn {
            let found = await checks.check(
                [9], Array("right".utf8), against: "right", mayBeRight: false, on: loop)
            verdict.with { $0 = found }
        }
        loop.runUntilIdle()
        #expect(verdict.read { $0 } == .wrong && hash.state.read { $0.ran } == 1)
    }
}
