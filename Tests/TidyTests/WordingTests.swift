import Testing

/// Words that may not stand in the source, with the reason each of them was met somewhere.
@Suite struct WordingTests {
    private func expectNone(
        _ pattern: some RegexComponent, in files: [SourceFile] = SourceTree.sources,
        _ reason: Comment
    ) {
        let findings = files.flatMap { $0.findings(pattern) }
        #expect(findings.isEmpty, reason)
    }

    @Test func fullFoundationIsNotImported() {
        let importers = SourceTree.sources.filter { file in
            file.imports.contains { $0 == "Foundation" || $0 == "FoundationNetworking" }
        }
        #expect(importers.isEmpty, "it doubles start-up time and memory")
    }

    // SWIFT-1
    @Test func nothingReachableFromInputTraps() {
        expectNone(#/\btry!/#, "an error would end the daemon")
        expectNone(#/\bas!/#, "a wrong type would end the daemon")
        expectNone(#/\bfatalError\(/#, "use precondition with a sentence, for bugs only")
        expectNone(#/\b(let|var) \w+: [\w.<>\[\]: ]+!/#, "implicitly unwrapped properties trap")
        #expect(!SourceTree.text("Package.swift").contains("Ounchecked"), "checks stay in")
    }

    @Test func standardOutputBelongsToTheCommandLine() {
        let daemon = SourceTree.sources.filter { $0.module != "cistern" }
        expectNone(#/\b(debugPrint|print|dump)\(/#, in: daemon, "log it")
    }

    /// Only loops and their clock decide what runs when; a seed then replays everything.
    @Test func nothingRunsOutsideOurExecutors() {
        expectNone(#/\bTask\.detached\b/#, "it runs on the global pool")
        expectNone(#/\b(DispatchQueue|DispatchSource|import Dispatch)\b/#, "use the loop")
        expectNone(#/\bThread\.sleep|\b(u|nano)?sleep\(\d|\busleep\(/#, "use a timer of the loop")
        expectNone(
            #/\bTask\.sleep\b|\bContinuousClock\b|\bSuspendingClock\b/#, "use the loop's clock")
    }

    @Test func nothingIsPublic() {
        expectNone(
            #/\b(public|open) (final |static )*(func|var|let|class|struct|enum|init|actor)\b/#,
            "the daemon is no library: package is as far as a name goes")
    }

    @Test func openEndsAreIssues() {
        let ownRules = "Tests/TidyTests/"
        for file in SourceTree.allSwift + SourceTree.native where !file.path.hasPrefix(ownRules) {
            for (index, line) in file.lines.enumerated() {
                if line.contains("FIXME") || line.contains("XXX") {
                    Issue.record("\(file):\(index + 1): finish it first")
                }
                if line.contains("TODO"), !line.contains(#/\bTODO\(#\d+\)/#) {
                    Issue.record("\(file):\(index + 1): a TODO names its issue: TODO(#12)")
                }
            }
        }
    }
}
