import Testing

@testable import Configuration

/// Whatever the bytes, there is an answer: a configuration or errors, soon and without a crash.
@Suite struct HostileInputTests {
    private func errors(_ bytes: [UInt8]) -> ConfigurationErrors? {
        let result = Configuration.parse(bytes: bytes, environment: home, host: .user)
        if case .failure(let errors) = result { return errors }
        return nil
    }

    @Test(arguments: [
        String(repeating: "[", count: 100_000),
        "a = " + String(repeating: "[", count: 100_000),
        "a = " + String(repeating: "{a=", count: 100_000),
        "a" + String(repeating: ".a", count: 100_000) + " = 1",
        "[a" + String(repeating: ".a", count: 100_000) + "]",
        "[[a" + String(repeating: " . a", count: 100_000) + "]]",
        "x = { a" + String(repeating: ".\"a\"", count: 100_000) + " = 1 }",
    ])
    func deepNestingIsRefused(text: String) {
        #expect(errors(Array(text.utf8)) != nil)
    }

    @Test func theDeepestDocumentThatIsTakenCanBeFreed() {
        let key = "a" + String(repeating: ".a", count: 15)
        var value = "1"
        for _ in 0..<15 { value = "{ \(key) = \(value) }" }
        let text = "[\(key)]\n\(key) = \(value)\n"
        #expect(errors(Array(text.utf8))?.diagnostics.first?.code == "unknown-key")
    }

    @Test(
        arguments: [
            [0], [0xFF, 0xFE], [0x61, 0x3D, 0x22, 0x00, 0x22],
            [0x61, 0x3D, 0x22, 0xC3, 0x28, 0x22],
            [0x61, 0x3D, 0x22, 0xED, 0xA0, 0x80, 0x22], [0xEF, 0xBB], [0x61, 0x3D],
            [0x22, 0x5C, 0x75, 0x44, 0x38, 0x30, 0x30, 0x22, 0x3D, 0x31],
        ] as [[UInt8]])
    func nulAndBrokenUTF8AreErrors(bytes: [UInt8]) {
        #expect(errors(bytes) != nil)
    }

    // toml++ 3.3 asserts or has undefined behaviour at each of these.
    @Test(arguments: [
        "[=", "[[=]]", "[#]", "gr\u{F6}\u{DF}e = 1", "v\u{29B} = 1", "a = 1 \u{29B}",
        "a = 5\"\u{29B}\"",
        "a = \"x\"\u{29B}", "a = \"\"\"x \\\n \u{E4}\"\"\"",
    ])
    func whatTheParserCannotBearIsRefusedBefore(text: String) {
        #expect(errors(Array(text.utf8))?.diagnostics.first?.code == "syntax")
    }

    @Test func lettersBeyondASCIIStandInQuotesAndComments() throws {
        let text =
            "# \u{E4}\n[repositories.a] # \u{2026}\ntype = \"proxy\"\nregistry = 'a.b'\n"
            + "username = \"\u{E4}\" # '\"\npassword = { env = \"P\" }\n"
        let environment = home.merging(["P": "x"]) { $1 }
        let configuration = try accept(text, environment: environment)
        #expect(configuration.repositories[0].proxy?.upstreams[0].credentials?.username == "\u{E4}")
    }

    @Test func aFileOfMoreThanOneMebibyteIsRefused() {
        let bytes = [UInt8](repeating: UInt8(ascii: "#"), count: 1 << 20)
        #expect(errors(bytes) == nil)
        #expect(errors(bytes + [10])?.diagnostics.first?.code == "file")
    }

    @Test func twentyThousandWrongKeysAreReportedInPart() {
        var text = "[cache]\n"
        for number in 0..<20_000 { text += "k\(number) = 1\n" }
        let errors = errors(Array(text.utf8))
        #expect(errors?.diagnostics.count == 100)
    }

    @Test func lineEndsAndByteOrderMarkOfWindowsAreTaken() throws {
        let configuration = try accept("\u{FEFF}[cache]\r\nmax_size = \"1GiB\"\r\n")
        #expect(configuration.cache.maxSize == .bytes(1 << 30))
    }

    @Test func anyPrefixOfAGoodFileHasAnAnswer() {
        let text = """
            [cache]
            max_size = "50%"
            [[listener]]
            address = "127.0.0.1:5000"
            [repositories."docker.io"]
            type = "proxy"
            allow_networks = ["10.0.0.0/8", '''x''']
            """
        let bytes = Array(text.utf8)
        for count in 0...bytes.count { _ = errors(Array(bytes[..<count])) }
    }

    @Test func randomMutationsHaveAnAnswer() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var state = seed | 1
        let next = { () -> Int in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state >> 33)
        }
        let good = Array(
            "version=1\n[cache]\nmax_size='5%'\n[repositories.a]\ntype=\"proxy\"\nretries=3\n".utf8)
        let bits = Array("[]{}=\".'#\n\\\0\u{FF}1a,-\r".utf8)
        for _ in 0..<300 {
            var bytes = good
            for _ in 0..<(1 + next() % 4) {
                bytes[next() % bytes.count] = bits[next() % bits.count]
            }
            let errors = errors(bytes)
            #expect(errors == nil || errors?.diagnostics.isEmpty == false, "seed \(seed)")
        }
    }
}
