import Glibc

/// SplitMix64: small, fast, the same numbers for the same seed everywhere.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A seed for this run: `CISTERN_TEST_SEED` if set, else a new one.
    ///
    /// Print it with failures.
    package static func seedOfThisRun() -> UInt64 {
        if let text = getenv("CISTERN_TEST_SEED"), let seed = UInt64(String(cString: text)) {
            return seed
        }
        return UInt64.random(in: 1...UInt64(UInt32.max))
    }
}
