import Testing

/// Words that may not stand in the source, with the reason each of them was met somewhere.
@Suite struct WordingTests {
    private func expectNone(
        _ word: String, _ pattern: some RegexComponent,
        in files: [SourceFile] = SourceTree.sources, _ reason: Comment
    ) {
        let findings = files.filter { $0.mentions(word) }.flatMap { $0.findings(pattern) }
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
        expectNone("try!", #/\btry!/#, "an error would end the daemon")
        expectNone("as!", #/\bas!/#, "a wrong type would end the daemon")
        expectNone("fatalError", #/\bfatalError\(/#, "use precondition, for bugs only")
        expectNone("!", #/\b(let|var) \w+: [\w.<>\[\]: ]+!/#, "such a property traps when read")
        #expect(!SourceTree.text("Package.swift").contains("Ounchecked"), "checks stay in")
    }

    @Test func standardOutputBelongsToTheCommandLine() {
        let daemon = SourceTree.sources.filter { $0.module != "cistern" }
        for word in ["print(", "debugPrint(", "dump("] {
            expectNone(word, #/\b(debugPrint|print|dump)\(/#, in: daemon, "log it")
        }
    }

    /// Only loops and their clock decide what runs when; a seed then replays everything.
    @Test func nothingRunsOutsideOurExecutors() {
        expectNone("detached", #/\bTask\.detached\b/#, "it runs on the global pool")
        expectNone(
            "Dispatch", #/\b(DispatchQueue|DispatchSource|import Dispatch)\b/#, "use the loop")
        expectNone("sleep(", #/\b(Thread\.|Task\.|u|nano)sleep\(/#, "use a timer of the loop")
        expectNone("Clock", #/\b(Continuous|Suspending)Clock\b/#, "use the loop's clock")
    }

    @Test func nothingIsPublic() {
        for word in ["public", "open"] {
            expectNone(
                word,
                #/\b(public|open) (final |static )*(func|var|let|class|struct|enum|init|actor)\b/#,
                "the daemon is no library: package is as far as a name goes")
        }
    }

    @Test func openEndsAreIssues() {
        let files = (SourceTree.allSwift + SourceTree.native).filter { file in
            let isRule = file.path.hasPrefix("Tests/TidyTests/")
            return !isRule && ["FIXME", "XXX", "TODO"].contains { file.mentions($0) }
        }
        for file in files {
            for (index, line) in file.lines.enumerated() {
                let place = "\(file):\(index + 1)"
                #expect(!line.contains(#/\b(FIXME|XXX)\b/#), "\(place): finish it first")
                let isOpen = line.contains(#/\bTODO\b/#) && !line.contains(#/\bTODO\(#\d+\)/#)
                #expect(!isOpen, "\(place): a TODO names its issue: TODO(#12)")
            }
        }
    }
}
