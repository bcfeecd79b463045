import Testing

@testable import Reactor

@Suite struct ResidencyTests {
    private static let window = Residency.windowBytes

    private static func at(_ seconds: Int64) -> Instant {
        Instant(nanoseconds: seconds * 1_000_000_000)
    }

    /// Which of `positions` lie in windows that are believed to be in memory.
    private static func found(
        _ positions: [Int64], _ residency: borrowing Residency, at seconds: Int64
    ) -> [Int64] {
        var found: [Int64] = []
        for position in positions where residency.hasWindow(of: position, at: at(seconds)) {
            found.append(position)
        }
        return found
    }

    @Test func wholeWindowsAreRememberedForAWhile() {
        let residency = Residency()
        let total = 2 * Self.window + 10
        let positions = [0, Self.window - 1, Self.window, 2 * Self.window - 1, total - 1]
        residency.note(Self.window..<2 * Self.window, of: total, at: Self.at(10))
        #expect(Self.found(positions, residency, at: 11) == [Self.window, 2 * Self.window - 1])
        #expect(Self.found(positions, residency, at: 13) == [])
        residency.note(2 * Self.window..<total, of: total, at: Self.at(20))
        #expect(Self.found(positions, residency, at: 20) == [total - 1])
        let isWhole = residency.isWhole(at: Self.at(20))
        #expect(!isWhole)
    }

    @Test func partsOfWindowsSayNothing() {
        let residency = Residency()
        residency.note(1..<Self.window, of: nil, at: Self.at(1))
        residency.note(0..<Self.window - 1, of: Self.window, at: Self.at(1))
        #expect(Self.found([0, 1], residency, at: 1) == [])
    }

    @Test func whatLiesFarBehindIsNotRemembered() {
        let residency = Residency()
        let start = Self.window << 30
        residency.note(start..<start + Self.window, of: nil, at: Self.at(1))
        #expect(Self.found([start], residency, at: 1) == [])
    }
}
