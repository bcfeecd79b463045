import Testing

@testable import OCI

/// Patterns of image names (AUTH-10).
struct NamePatternTests {
    @Test(arguments: [
        ("library/*", "library/alpine", true), ("library/*", "library/a/b", false),
        ("library/*", "library", false), ("acme/**", "acme/a/b/c", true),
        ("acme/**", "acme", true), ("**", "a/b/c", true), ("**/app", "a/b/app", true),
        ("**/app", "app", true), ("**/app", "a/apple", false), ("a/**/z", "a/z", true),
        ("a/**/z", "a/b/z/c/z", true), ("a/**/z", "a/b/z/c", false),
        ("grafana/loki-*", "grafana/loki-canary", true), ("*-*-x", "a-b-x-y-x", true),
        ("*-*-x", "a-x", false), ("alpine", "alpine", true), ("alpine", "alpine2", false),
        ("*", "a", true), ("*", "a/b", false),
    ])
    func itMatchesWholeNames(pattern: String, name: String, isMatch: Bool) throws {
        let pattern = try #require(NamePattern(parsing: pattern))
        let name = try #require(RepositoryName(parsing: name))
        #expect(pattern.matches(name) == isMatch)
    }

    @Test(arguments: [
        "", "/", "a/", "/a", "a//b", "A", "a b", "é", String(repeating: "a", count: 256),
    ])
    func whatNoNameHoldsIsRefused(text: String) {
        #expect(NamePattern(parsing: text) == nil)
    }

    @Test func itsWorkIsBounded() throws {
        let pattern = try #require(
            NamePattern(parsing: String(repeating: "*a", count: 100) + "b"))
        let name = try #require(RepositoryName(parsing: String(repeating: "a", count: 255)))
        #expect(!pattern.matches(name))
        let deep = try #require(
            NamePattern(parsing: Array(repeating: "**", count: 60).joined(separator: "/") + "/b"))
        let path = try #require(
            RepositoryName(parsing: Array(repeating: "a", count: 120).joined(separator: "/")))
        #expect(!deep.matches(path))
    }
}
