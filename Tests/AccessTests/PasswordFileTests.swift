import TestSupport
import Testing

@testable import Access

/// Password files as people and tools write them, and as nobody should.
@Suite struct PasswordFileTests {
    /// Of `s3cr3t`, by `htpasswd -nbB`, `htpasswd -nbBC 4` and others.
    static let hash = "$2y$04$U6fMB2nB0E5rM1pSyiIwzuraYMyYB8q9pIEBoRdEMM79uXITfzKw6"

    @Test func namesAndHashesAreRead() {
        let text = "# users\n\nann:\(Self.hash)\r\nbob-1@x.org:\(Self.hash)\n"
        let parsed = PasswordFile.parse(Array(text.utf8))
        #expect(parsed.problems.isEmpty && parsed.file.names == ["ann", "bob-1@x.org"])
        #expect(parsed.file.hashes["ann"] == Self.hash)
    }

    @Test(arguments: [
        "ann", ":\(hash)", "an n:\(hash)", "ann:", "ann:s3cr3t", "ann:$apr1$abcdefgh$ijk",
        "ann:{SHA}abcdefg=", "ann:$6$salt$abc", "ann:$2y$10$short",
        "ann:$2x$04" + hash.dropFirst(6),
        "ann:$2y$03" + hash.dropFirst(6), "ann:$2y$17" + hash.dropFirst(6), "ann:\(hash)x",
        "ann:\(hash.dropLast())!", "\u{e4}:\(hash)", "ann:\(hash):more",
        String(repeating: "a", count: 129) + ":\(hash)",
    ])
    func wrongLinesLetNobodyInAndAreTold(line: String) {
        let parsed = PasswordFile.parse(Array("bob:\(Self.hash)\n\(line)\n".utf8))
        #expect(parsed.file.names == ["bob"])
        #expect(parsed.problems.map(\.line) == [2])
        for problem in parsed.problems {
            #expect(!problem.text.contains("$") && !problem.text.contains("s3cr3t"))
        }
    }

    @Test func aNameThatIsThereTwiceKeepsItsFirstHash() {
        let other = PasswordFileTests.hash.dropLast() + "."
        let parsed = PasswordFile.parse(Array("a:\(Self.hash)\na:\(other)\n".utf8))
        #expect(parsed.file.hashes["a"] == Self.hash && parsed.problems.count == 1)
    }

    @Test func anyBytesAreReadWithoutHarm() {
        var generator = SeededGenerator(seed: 4)
        let good = Array("ann:\(Self.hash)\nbob:\(Self.hash)\n# x\n".utf8)
        for round in 0..<2000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] =
                    UInt8.random(in: .min ... .max, using: &generator)
            }
            let parsed = PasswordFile.parse(bytes)
            #expect(parsed.file.names.count <= 3, "round \(round), seed 4")
            let robots = RobotFile.parse(bytes)
            #expect(robots.file.entries.isEmpty)
        }
    }

    @Test func aHashIsMadeAndMatched() throws {
        let password = Array("p#ss:w&rd%\u{e4}".utf8)
        let hash = try #require(PasswordHash.make(password))
        let parsed = PasswordFile.parse(Array("ann:\(hash)".utf8))
        #expect(parsed.problems.isEmpty && parsed.file.hashes["ann"] == hash)
        #expect(PasswordHash.matches(password, hash))
        #expect(!PasswordHash.matches(password + [1], hash))
        #expect(!PasswordHash.matches([], hash))
        #expect(!PasswordHash.matches(password + [0], hash))
    }

    @Test func editingLeavesOtherLinesAsTheyAre() {
        let text = Array("# mine\nann:1\n\nbob:2".utf8)
        func edited(_ name: String, _ hash: String?) -> String {
            String(decoding: PasswordFile.edited(text, name, hash), as: UTF8.self)
        }
        #expect(edited("ann", "3") == "# mine\nann:3\n\nbob:2\n")
        #expect(edited("eve", "3") == "# mine\nann:1\n\nbob:2\neve:3\n")
        #expect(edited("bob", nil) == "# mine\nann:1\n\n")
        #expect(edited("an", nil) == "# mine\nann:1\n\nbob:2\n")
        #expect(PasswordFile.edited([], "a", "b") == Array("a:b\n".utf8))
    }
}
