import Testing

/// Lines, functions and files stay small enough to be read (style: a screen and a sitting).
@Suite struct SizeTests {
    private static let columnsMax = 100
    private static let fileLinesMax = 600
    private static let functionLinesMax = 70

    @Test func linesFitInto100Columns() {
        for file in SourceTree.allSwift + SourceTree.native {
            for (index, line) in file.lines.enumerated()
            where line.count > SizeTests.columnsMax && !isLiteralOfATest(line, file) {
                Issue.record("\(file):\(index + 1): \(line.count) columns")
            }
        }
    }

    /// What a test sends or expects to the letter is not broken.
    private func isLiteralOfATest(_ line: Substring, _ file: SourceFile) -> Bool {
        file.path.hasPrefix("Tests/") && line.contains { $0 == "\"" || $0 == "#" }
    }

    @Test func linesHaveNoTabsAndNoTrailingSpace() {
        for file in SourceTree.allSwift + SourceTree.native {
            for (index, line) in file.lines.enumerated()
            where line.contains("\t") || line.hasSuffix(" ") {
                Issue.record("\(file):\(index + 1): tab or trailing space")
            }
        }
    }

    @Test func filesHaveAtMost600Lines() {
        for file in SourceTree.allSwift + SourceTree.native
        where file.lines.count > SizeTests.fileLinesMax {
            Issue.record("\(file): \(file.lines.count) lines; a type wants out")
        }
    }

    @Test func functionsHaveAtMost70Lines() {
        let functions = SourceTree.allSwift.flatMap { FunctionLength.all(in: $0) }
        #expect(!functions.isEmpty)
        for function in functions
        where function.length > SizeTests.functionLinesMax && !function.isFlatSwitch {
            Issue.record("\(function.path):\(function.line): \(function.length) lines")
        }
    }

    @Test func functionLengthsAreFoundWhateverTheSignatureLooksLike() {
        let text = """
            protocol P {
                func requirement(a: Int) -> Int
                init()
            }
            struct S {
                func short() { work() }
                init(
                    a: Int, b: () -> Void = { }
                ) throws {
                    let brace = "}"
                }

                package static func generic<T>(
                    _ t: T
                ) -> T
                where T: Sendable {
                    // {
                    if true {
                    }
                    return t
                }
            }
            """
        let lengths = FunctionLength.all(in: SourceFile(path: "S.swift", text: text))
        #expect(lengths.map(\.line) == [7, 13])
        #expect(lengths.map(\.length) == [5, 9])
    }
}
