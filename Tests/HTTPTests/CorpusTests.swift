import Foundation
import HTTP
import TestSupport
import Testing

/// Real and hostile requests, kept as files: `ok-…` is taken, `400-…` refused with that status.
///
/// `CISTERN_FUZZ_ROUNDS` multiplies the mutations.
struct CorpusTests {
    struct Sample: CustomTestStringConvertible {
        let name: String
        let bytes: [UInt8]
        var testDescription: String { name }
    }

    static let samples: [Sample] = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Corpus")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.sorted().filter { $0.hasSuffix(".http") }.compactMap { name in
            let data = try? Data(contentsOf: folder.appendingPathComponent(name))
            return data.map { Sample(name: name, bytes: Array($0)) }
        }
    }()

    static let rounds =
        ProcessInfo.processInfo.environment["CISTERN_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 1

    @Test func corpusIsThere() {
        #expect(Self.samples.count >= 20)
    }

    @Test(arguments: samples)
    func everySampleIsAnsweredAsItsNameSays(sample: Sample) {
        let outcome = Outcome.atOnce(sample.bytes)
        let expected = Int(sample.name.prefix { $0 != "-" })
        #expect(outcome.status == expected, "\(outcome)")
        if expected == nil { #expect(outcome != .incomplete) }
        #expect(Outcome.byteByByte(sample.bytes) == outcome)
    }

    @Test(arguments: samples)
    func mutatedSamplesNeverTrapAndDoNotDependOnHowTheyArrive(sample: Sample) {
        // SWIFT-1.
        let seed = SeededGenerator.seedOfThisRun()
        var generator = SeededGenerator(seed: seed)
        var mutator = Mutator(seed: seed)
        // A debug build takes a long head slowly; the short ones are where the rules are.
        let rounds = (sample.bytes.count < 2000 ? 60 : 5) * Self.rounds
        for _ in 0..<rounds {
            let bytes = mutator.mutated(sample.bytes)
            let outcome = Outcome.atOnce(bytes)
            #expect(Outcome.inPieces(bytes, &generator) == outcome, "\(sample.name), seed \(seed)")
            if bytes.count < 300 {
                #expect(Outcome.byteByByte(bytes) == outcome, "\(sample.name), seed \(seed)")
            }
            feedChunks(bytes, &generator)
            feedValues(String(decoding: bytes, as: UTF8.self))
        }
    }

    /// Takes the bytes for a chunked body, in pieces.
    private func feedChunks(_ bytes: [UInt8], _ generator: inout SeededGenerator) {
        var decoder = ChunkedDecoder()
        var start = 0
        while start < bytes.count, !decoder.isFinished {
            let end = min(bytes.count, start + Int.random(in: 1...50, using: &generator))
            let step = bytes[start..<end].withUnsafeBytes { try? decoder.decode($0) }
            guard let step else { return }
            start += step.consumed
        }
    }

    /// Takes the text for every value that has a parser of its own.
    private func feedValues(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            let value = String(line.drop { $0 != ":" }.dropFirst().drop { $0 == " " })
            for size in [0, 1, 1000, Int64.max] { _ = RangeSet(value, size: size) }
            _ = Challenge.parse([value])
            _ = LinkHeader.next(in: value)
            _ = ContentRange(parsing: value)
            _ = RetryAfter.seconds(value, now: 0)
            _ = EntityTag("a").matches(ifNoneMatch: value)
        }
    }
}
