import FoundationEssentials

/// The repository's text files, read once.
enum SourceTree {
    /// The repository's top, found from this file's place.
    static let top: String = {
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(3)
        return parts.joined(separator: "/")
    }()

    static let sources = files(under: "Sources", suffixes: [".swift"])
    static let tests = files(under: "Tests", suffixes: [".swift"])
    static let benchmarks = files(under: "benchmarks", suffixes: [".swift"])
    static let native = files(under: "Sources", suffixes: [".c", ".cpp", ".h"])
    static let allSwift =
        sources + tests + benchmarks
        + [SourceFile(path: "Package.swift", text: text("Package.swift"))]

    /// A file's text; empty when it cannot be read.
    static func text(_ path: String) -> String {
        (try? String(contentsOfFile: "\(top)/\(path)", encoding: .utf8)) ?? ""
    }

    private static func files(under folder: String, suffixes: [String]) -> [SourceFile] {
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: "\(top)/\(folder)")) ?? []
        return names.sorted().filter { name in suffixes.contains { name.hasSuffix($0) } }
            .map { SourceFile(path: "\(folder)/\($0)", text: text("\(folder)/\($0)")) }
    }
}
