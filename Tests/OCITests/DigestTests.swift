import TestSupport
import Testing

@testable import OCI

/// INT-7: a digest is a parsed value, and nothing else gets through.
struct DigestTests {
    static let hex256 = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    static let hex512 = String(repeating: "0123456789abcdef", count: 8)

    @Test(arguments: ["sha256:" + hex256, "sha512:" + hex512])
    func writtenDigestIsReadBackUnchanged(text: String) throws {
        let digest = try #require(Digest(parsing: text))
        #expect(digest.description == text)
        #expect(digest.hex == text.dropFirst(7))
        #expect(digest.bytes.count == digest.algorithm.byteCount)
        #expect(Digest(digest.algorithm, bytes: digest.bytes) == digest)
        #expect(digest.withBytes { Array($0) } == digest.bytes)
        // A slice of a longer text is no other text.
        #expect(Digest(parsing: "x\(text)y".dropFirst().dropLast()) == digest)
    }

    @Test(arguments: [
        "", ":", "sha256", "sha256:", "sha256:" + hex256.uppercased(), "SHA256:" + hex256,
        "sha256:" + hex256.dropLast(), "sha256:" + hex256 + "0",
        "sha256:" + hex256.dropLast() + "g",
        "sha256:" + hex512, "sha512:" + hex256, "sha1:" + hex256, "sha256-" + hex256,
        " sha256:" + hex256, "sha256:" + hex256 + " ", "sha256:" + hex256 + "\n",
        "blake3:" + hex256,
        "sha256:../" + hex256.dropFirst(3), "sha256:" + String(repeating: "é", count: 32),
        "sha256:baddigeststring", "sha512:" + hex512 + "0", String(repeating: "a", count: 100_000),
    ])
    func textThatIsNoDigestMakesNone(text: String) {
        #expect(Digest(parsing: text) == nil)
        #expect(Digest(parsing: Substring(text)) == nil)
    }

    @Test func rawHashOfTheWrongLengthMakesNone() {
        #expect(Digest(.sha256, bytes: [UInt8](repeating: 1, count: 31)) == nil)
        #expect(Digest(.sha256, bytes: [UInt8](repeating: 1, count: 64)) == nil)
        #expect(Digest(.sha512, bytes: [UInt8](repeating: 1, count: 32)) == nil)
        #expect(Digest(.sha256, bytes: []) == nil)
    }

    @Test func digestsAreEqualOnlyInEveryByte() throws {
        let bytes = [UInt8](repeating: 7, count: 64)
        let digest = try #require(Digest(.sha512, bytes: bytes))
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x80
            #expect(Digest(.sha512, bytes: changed) != digest)
        }
        #expect(Digest(.sha256, bytes: bytes.prefix(32)) != digest)
        #expect(Set([digest, digest]).count == 1)
    }

    @Test func digestsSortAsTheirTextsDo() {
        var generator = SeededGenerator(seed: 2)
        var digests = [Digest]()
        for _ in 0..<64 {
            let bytes = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
            if let digest = Digest(.sha256, bytes: bytes) { digests.append(digest) }
        }
        #expect(digests.sorted().map(\.description) == digests.map(\.description).sorted())
    }

    @Test func fallbackTagIsAlgorithmAndHexCutAtSixtyFour() throws {
        let short = try #require(Digest(parsing: "sha256:" + Self.hex256))
        #expect(short.referrersTag.text == "sha256-" + Self.hex256)
        let long = try #require(Digest(parsing: "sha512:" + Self.hex512))
        #expect(long.referrersTag.text == "sha512-" + Self.hex512.prefix(64))
        #expect(Tag(parsing: long.referrersTag.text) == long.referrersTag)
    }

    @Test func randomDigestsSurviveTextAndBack() {
        let seed = SeededGenerator.seedOfThisRun()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let algorithm: Digest.Algorithm = Bool.random(using: &generator) ? .sha256 : .sha512
            let bytes = (0..<algorithm.byteCount).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let digest = Digest(algorithm, bytes: bytes)
            #expect(digest?.bytes == bytes, "seed \(seed)")
            #expect(digest.flatMap { Digest(parsing: $0.description) } == digest, "seed \(seed)")
        }
    }
}
