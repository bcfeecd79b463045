import Testing

@testable import Reactor

@Suite struct BusyPollingTests {
    private static let short = Duration.microseconds(30)
    private static let long = Duration.milliseconds(1)

    private static func waits(_ polling: inout BusyPolling) -> Int {
        var count = 0
        while !polling.isWorthIt, count < 1000 {
            polling.waited(short)
            count += 1
        }
        return count
    }

    @Test func onlyShortWaitsInARowMakeALoopLook() {
        var polling = BusyPolling()
        #expect(Self.waits(&polling) == BusyPolling.shortWaitsMin)
        polling.waited(Self.short)
        #expect(polling.isWorthIt)
        polling.waited(Self.long)
        #expect(!polling.isWorthIt)
        for _ in 1..<BusyPolling.shortWaitsMin { polling.waited(Self.short) }
        polling.waited(Self.long)
        #expect(Self.waits(&polling) == BusyPolling.shortWaitsMin)
    }

    @Test func whoLooksInVainLooksLessAndLessOften() {
        var polling = BusyPolling()
        var pauses: [Int] = []
        for _ in 0..<6 {
            polling.foundNothing()
            polling.waited(Self.long)
            pauses.append(Self.waits(&polling))
        }
        #expect(pauses == [8, 16, 32, 64, 64, 64])
        polling.waited(Self.short)
        polling.foundNothing()
        #expect(Self.waits(&polling) == 8)
    }

    @Test func whileOtherThreadsWorkOrABodyIsTakenALoopSleeps() {
        var polling = BusyPolling()
        #expect(Self.waits(&polling) > 0)
        polling.heardOfOthers()
        #expect(Self.waits(&polling) == BusyPolling.shortWaitsMax)
        polling.foundOnlyRoom()
        #expect(Self.waits(&polling) == BusyPolling.shortWaitsMax)
    }
}
