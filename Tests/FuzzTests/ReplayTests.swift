import FuzzBodies
import Glibc
import TestSupport
import Testing

/// The corpora of the fuzz targets, as they are and spoiled a little (P11).
///
/// `CISTERN_FUZZ_ROUNDS` multiplies the mutations, `CISTERN_TEST_SEED` repeats them; `scripts/fuzz`
/// runs the same bodies under libFuzzer and AddressSanitizer.
@Suite struct ReplayTests {
    /// One of the kept inputs.
    struct Seed {
        let name: String
        let bytes: [UInt8]
    }

    private static let rounds = getenv("CISTERN_FUZZ_ROUNDS").flatMap { Int(String(cString: $0)) }

    /// What is kept for a target: inputs written by hand and finds, made small.
    private static func corpus(of target: FuzzTarget) throws -> [Seed] {
        let here = #filePath.split(separator: "/").dropLast().joined(separator: "/")
        var folders = ["/\(here)/Corpus/\(target.rawValue)"]
        if target == .requestHead { folders.append("/\(here)/../HTTPTests/Corpus") }
        return try folders.flatMap { folder in
            try Files.names(folder).map { name in
                Seed(name: name, bytes: try Files.read("\(folder)/\(name)"))
            }
        }
    }

    @Test(arguments: FuzzTarget.allCases)
    func keptInputsBreakNoPromise(target: FuzzTarget) throws {
        let corpus = try Self.corpus(of: target)
        #expect(corpus.count >= 5)
        for seed in corpus {
            check(target, seed.bytes, "\(seed.name)")
        }
    }

    @Test(arguments: FuzzTarget.allCases)
    func spoiledInputsBreakNoPromise(target: FuzzTarget) throws {
        let number = SeededGenerator.seedOfThisRun()
        var mutator = Mutator(seed: number)
        let corpus = try Self.corpus(of: target)
        var broken = 0
        for seed in corpus {
            // A debug build takes a long input slowly.
            let rounds = (seed.bytes.count < 2000 ? 40 : 4) * (Self.rounds ?? 1)
            for round in 0..<rounds {
                var bytes = mutator.mutated(seed.bytes)
                if round % 4 == 0 {
                    bytes = mutator.crossed(bytes, mutator.oneOf(corpus).bytes)
                }
                let place = "\(seed.name), seed \(number), round \(round)"
                if !check(target, bytes, place) { broken += 1 }
            }
        }
        PromiseReport.add(
            "P11", "spoiled inputs, \(target.rawValue)", figure: "\(broken) broke a promise",
            bound: "0", held: broken == 0)
    }

    @discardableResult
    private func check(_ target: FuzzTarget, _ bytes: [UInt8], _ place: String) -> Bool {
        do throws(FuzzFailure) {
            try target.run(bytes)
            return true
        } catch {
            Issue.record("\(target.rawValue), \(place): \(error)\n\(bytes)")
            return false
        }
    }
}
