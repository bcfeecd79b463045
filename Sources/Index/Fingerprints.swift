/// A set of 64-bit fingerprints that forgets what was not asked for in a long time, in bounded
/// memory.
///
/// Each may lie in one of two sets of eight and goes to the emptier, so that the table can be
/// nearly full before anything is forgotten; it begins small and doubles when both are full.
/// Not Sendable: it belongs to whoever locks it.
package struct Fingerprints: ~Copyable {
    private static let setSize = 8
    private static let setsMin = 64

    private let setsMax: Int
    private var sets: Int
    /// Of each set the places in the order of their use; 0 is an empty place.
    private var places: UnsafeMutablePointer<UInt64>

    /// Room for `countMax` fingerprints, rounded up to a power of two: eight bytes each, once they
    /// are there.
    package init(countMax: Int) {
        var sets = Self.setsMin
        while sets * Self.setSize < countMax { sets *= 2 }
        setsMax = sets
        self.sets = Self.setsMin
        places = Self.empty(Self.setsMin)
    }

    deinit {
        places.deallocate()
    }

    /// How many there is room for now.
    package var capacity: Int { sets * Self.setSize }

    /// Whether `print` is in the set; a use that keeps it there.
    package mutating func contains(_ print: UInt64) -> Bool {
        let print = Self.valid(print)
        let (first, second) = Self.starts(of: print, sets)
        return touch(print, first) || touch(print, second)
    }

    /// Puts `print` in, in the place of the one that was not used for the longest time if there is
    /// no room.
    package mutating func insert(_ print: UInt64) {
        let print = Self.valid(print)
        let (first, second) = Self.starts(of: print, sets)
        if touch(print, first) || touch(print, second) { return }
        if put(print) { return }
        while sets < setsMax {
            grow()
            if put(print) { return }
        }
        pushFront(print, Self.starts(of: print, sets).0, from: Self.setSize - 1)
    }

    /// Takes `print` out, if it is in.
    package mutating func remove(_ print: UInt64) {
        let print = Self.valid(print)
        let (first, second) = Self.starts(of: print, sets)
        for start in [first, second] where touch(print, start) {
            for index in start..<start + Self.setSize - 1 { places[index] = places[index + 1] }
            places[start + Self.setSize - 1] = 0
        }
    }

    /// Whether `print` is in the set that begins at `start`; it is the first of it then.
    private func touch(_ print: UInt64, _ start: Int) -> Bool {
        for index in 0..<Self.setSize where places[start + index] == print {
            pushFront(print, start, from: index)
            return true
        }
        return false
    }

    /// Puts `print` into the emptier of its sets; false if both are full.
    private func put(_ print: UInt64) -> Bool {
        let (first, second) = Self.starts(of: print, sets)
        let (firstCount, secondCount) = (count(first), count(second))
        let (start, count) =
            firstCount <= secondCount ? (first, firstCount) : (second, secondCount)
        guard count < Self.setSize else { return false }
        pushFront(print, start, from: count)
        return true
    }

    private func count(_ start: Int) -> Int {
        // What is empty comes last.
        var count = 0
        while count < Self.setSize, places[start + count] != 0 { count += 1 }
        return count
    }

    private func pushFront(_ print: UInt64, _ start: Int, from index: Int) {
        var index = start + index
        while index > start {
            places[index] = places[index - 1]
            index -= 1
        }
        places[start] = print
    }

    private mutating func grow() {
        let old = places
        let oldCount = sets * Self.setSize
        sets *= 2
        places = Self.empty(sets)
        // From the least recently used on, so that the order within sets stays.
        for index in stride(from: oldCount - 1, through: 0, by: -1) where old[index] != 0 {
            // Hardly ever without room: there is twice as much of it.
            _ = put(old[index])
        }
        old.deallocate()
    }

    private static func empty(_ sets: Int) -> UnsafeMutablePointer<UInt64> {
        let places = UnsafeMutablePointer<UInt64>.allocate(capacity: sets * setSize)
        places.initialize(repeating: 0, count: sets * setSize)
        return places
    }

    private static func valid(_ print: UInt64) -> UInt64 { max(1, print) }

    private static func starts(of print: UInt64, _ sets: Int) -> (Int, Int) {
        let first = Int(truncatingIfNeeded: print) & (sets - 1)
        let second = Int(truncatingIfNeeded: print >> 32) & (sets - 1)
        return (first * setSize, second * setSize)
    }
}
