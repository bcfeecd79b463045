import Testing

/// Each requirement is cited by a test that proves it.
@Suite struct RequirementTests {
    /// How many requirements of each kind there are.
    private static let counts = [
        "INT": 12, "CRED": 8, "SSRF": 4, "TLS": 4, "AUTH": 10, "HTTP": 10, "RES": 10, "UP": 10,
        "DUR": 8, "LOC": 6, "OPS": 5, "SWIFT": 4,
    ]

    @Test func eachIsCitedByATest() {
        let own = "RequirementTests.swift"
        let tests = SourceTree.tests.filter { !$0.path.hasSuffix("TidyTests/\(own)") }
        let wanted = Self.counts.flatMap { kind, count in (1...count).map { "\(kind)-\($0)" } }
        let missing = wanted.filter { id in !tests.contains { $0.cites(id) } }
        #expect(missing.sorted() == [])
    }
}

extension SourceFile {
    /// Whether the text has `id` and not only the beginning of a longer one.
    fileprivate func cites(_ id: String) -> Bool {
        text.split(separator: id, omittingEmptySubsequences: false).dropFirst().contains { rest in
            rest.first.map { !$0.isNumber } ?? true
        }
    }
}
