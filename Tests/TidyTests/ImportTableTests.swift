import Testing

/// The import table of ARCHITECTURE.md is the truth about who may know whom.
@Suite struct ImportTableTests {
    /// Modules of the system and the toolchain that need no row, and who may import them.
    private static let outside: [String: Set<String>?] = [
        "Glibc": nil, "Synchronization": nil, "_Concurrency": nil,
        // JSON is parsed where it is read, and only there.
        "FoundationEssentials": ["OCI", "Upstream"],
        "ArgumentParser": ["cistern"],
    ]

    /// Rows of the table `| module | imports | … |`, in their order.
    private static let table: [(module: String, imports: Set<String>)] = {
        let lines = SourceTree.text("ARCHITECTURE.md").split(separator: "\n")
        let rows = lines.drop { !$0.hasPrefix("| module | imports |") }.dropFirst(2)
        return rows.prefix { $0.hasPrefix("|") }.map { row in
            let cells = row.split(separator: "|")
            return (names(cells[0]).first ?? "", Set(names(cells[1])))
        }
    }()

    /// The names in backquotes.
    private static func names(_ cell: Substring) -> [String] {
        cell.matches(of: #/`(\w+)`/#).map { String($0.output.1) }
    }

    private static let actual: [String: Set<String>] = {
        var actual: [String: Set<String>] = [:]
        for file in SourceTree.sources {
            guard let module = file.module else { continue }
            actual[module, default: []].formUnion(file.imports)
        }
        return actual
    }()

    @Test func everyModuleHasItsRow() {
        let rows = ImportTableTests.table.map(\.module)
        #expect(Set(rows).count == rows.count)
        #expect(Set(rows) == Set(ImportTableTests.actual.keys))
    }

    @Test func modulesImportExactlyWhatTheTableSays() {
        for (module, allowed) in ImportTableTests.table {
            let imports = ImportTableTests.actual[module, default: []]
                .filter { ImportTableTests.outside[$0] == nil }
            for name in imports.subtracting(allowed).sorted() {
                Issue.record("\(module) imports \(name), which ARCHITECTURE.md does not allow")
            }
            for name in allowed.subtracting(imports).sorted() {
                Issue.record("\(module) no longer imports \(name): take it out of ARCHITECTURE.md")
            }
        }
    }

    @Test func importsGoStrictlyDown() {
        let rows = ImportTableTests.table.map(\.module)
        for (index, row) in ImportTableTests.table.enumerated() {
            let above = row.imports.intersection(rows[...index])
            #expect(above.isEmpty, "\(row.module) imports upwards")
        }
    }

    @Test func someSystemModulesAreForAFewOnly() {
        for (name, users) in ImportTableTests.outside {
            guard let users else { continue }
            for (module, imports) in ImportTableTests.actual where imports.contains(name) {
                #expect(users.contains(module), "\(module) imports \(name)")
            }
        }
    }

    /// Registry knows no HTTP, Server no images, Store no status codes; whatever the table says.
    @Test func theRoomsStayApart() {
        let apart = [
            ("Registry", ["HTTP", "Server", "CSQLite"]), ("Server", ["OCI", "Registry", "Store"]),
            ("Store", ["HTTP", "Upstream", "CSQLite"]), ("Upstream", ["Store", "Index"]),
            ("HTTP", ["Glibc", "Linux", "Reactor"]), ("OCI", ["Glibc", "Linux", "Reactor"]),
        ]
        for (module, strangers) in apart {
            let known = ImportTableTests.actual[module, default: []].intersection(strangers)
            #expect(known.isEmpty, "\(module) must not know \(known.sorted())")
        }
    }
}
