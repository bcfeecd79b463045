import Testing

@testable import Index

/// What is remembered as fingerprints: all of it while there is room, in bounded memory.
struct FingerprintsTests {
    /// Fingerprints as good as random, 0 among them.
    private static func print(_ number: UInt64) -> UInt64 {
        number &* 0x9e37_79b9_7f4a_7c15 ^ (number &* 0xd6e8_feb8_6659_fd93) >> 29
    }

    private static func kept(_ numbers: Range<UInt64>, _ prints: inout Fingerprints) -> Int {
        var count = 0
        for number in numbers where prints.contains(print(number)) { count += 1 }
        return count
    }

    @Test func itGrows_andForgetsNothingWhileItDoes() {
        var prints = Fingerprints(countMax: 1 << 14)
        let first = prints.capacity
        // Most of what there is room for.
        let count: UInt64 = 12_000
        for number in 0..<count {
            let before = prints.contains(Self.print(number))
            prints.insert(Self.print(number))
            let after = prints.contains(Self.print(number))
            #expect(!before && after)
        }
        let (kept, capacity) = (Self.kept(0..<count, &prints), prints.capacity)
        #expect(kept >= Int(count) - 4)
        #expect(first < 1024 && capacity == 1 << 14)
    }

    @Test func itIsBounded_andKeepsWhatIsUsed() {
        var prints = Fingerprints(countMax: 1024)
        for number in 0..<100 { prints.insert(Self.print(UInt64(number))) }
        for number in 100..<UInt64(20_000) {
            prints.insert(Self.print(number))
            for used in 0..<10 { _ = prints.contains(Self.print(UInt64(used))) }
        }
        let capacity = prints.capacity
        #expect(capacity == 1024)
        let (used, unused) = (Self.kept(0..<10, &prints), Self.kept(10..<100, &prints))
        #expect(used == 10 && unused == 0)
        let all = Self.kept(0..<20_000, &prints)
        #expect(all <= 1024)
    }

    @Test func whatIsTakenOut_isGone_andNothingElse() {
        var prints = Fingerprints(countMax: 1024)
        for number in 0..<UInt64(400) { prints.insert(Self.print(number)) }
        for number in 0..<UInt64(400) where number % 2 == 0 {
            prints.remove(Self.print(number))
            prints.remove(Self.print(number + 1000))
        }
        for number in 0..<UInt64(400) {
            let isIn = prints.contains(Self.print(number))
            #expect(isIn == (number % 2 == 1))
        }
    }

    @Test func whatIsThere_isPutInOnce() {
        var prints = Fingerprints(countMax: 1)
        let before = prints.capacity
        for _ in 0..<10_000 { prints.insert(0) }
        let (isIn, after) = (prints.contains(0), prints.capacity)
        #expect(isIn && before == after)
    }
}
