/// Lays environment variables and flags over the file: flag over environment over file.
///
/// `CISTERN__CACHE__MAX_SIZE=50GiB`: two underscores between levels, since keys hold one and since
/// Kubernetes makes `CISTERN_…` variables of its own for a service of that name.
struct Overlay {
    private static let prefix = "CISTERN__"

    /// A variable that could change something.
    private struct Variable {
        let name: String
        let value: String
        /// The name's parts, as keys are written.
        let parts: [String]
        let source: SourceText

        init?(_ name: String, _ value: String) {
            guard name.uppercased().hasPrefix(Overlay.prefix) else { return nil }
            self.name = name
            self.value = value
            source = SourceText(name: "environment", text: "\(name)=\(value)", isNumbered: false)
            parts = Overlay.parts(String(name.dropFirst(Overlay.prefix.count)))
        }

        var namePlace: Place {
            Place(source: source, line: 1, column: 1, width: name.unicodeScalars.count)
        }

        var valuePlace: Place {
            Place(
                source: source, line: 1, column: name.unicodeScalars.count + 2,
                width: max(1, value.unicodeScalars.count))
        }

        func entry(_ key: String, _ shape: ValueShape, _ problems: inout Problems)
            -> TOMLTable.Entry?
        {
            if shape == .string { return stringEntry(key) }
            let origin = TOMLDocument.Origin(
                source: source, columnOffset: name.unicodeScalars.count + 1)
            do throws(TOMLDocument.SyntaxError) {
                let node = try TOMLDocument.parseValue(value, origin)
                return TOMLTable.Entry(key: key, keyPlace: namePlace, value: node)
            } catch {
                // Not even meant as TOML: its kind will say what it takes.
                guard value.hasPrefix("[") || value.hasPrefix("{") else { return stringEntry(key) }
                problems.error(
                    "syntax", "the value of \(Quoted.of(name)): \(Quoted.safe(error.message))",
                    at: error.place ?? valuePlace, help: "lists and tables as in TOML")
                return nil
            }
        }

        private func stringEntry(_ key: String) -> TOMLTable.Entry {
            let node = TOMLNode(content: .string(value), place: valuePlace)
            return TOMLTable.Entry(key: key, keyPlace: namePlace, value: node)
        }
    }

    private let variables: [Variable]
    private let flags: ConfigurationSource.Flags
    private let host: Host

    init(_ source: ConfigurationSource) {
        variables = source.environment.compactMap { Variable($0.key, $0.value) }
            .sorted { ($0.parts.count, $0.name) < ($1.parts.count, $1.name) }
        flags = source.flags
        host = source.host
    }

    /// Puts every value in; whole tables first, so that single keys can refine them.
    func apply(to root: inout TOMLTable, _ problems: inout Problems) {
        for variable in variables where variable.parts.count == 1 {
            apply(variable, to: &root, &problems)
        }
        DefaultRepositories.add(to: &root)
        for variable in variables where variable.parts.count != 1 {
            apply(variable, to: &root, &problems)
        }
        applyFlags(to: &root)
    }

    private func apply(
        _ variable: Variable, to root: inout TOMLTable, _ problems: inout Problems
    ) {
        let names = root["repositories"]?.value.table?.entries.map(\.key) ?? []
        let tls = root["tls"]?.value.table?.entries.map(\.key) ?? []
        guard let target = OptionPath(variable.parts, repositories: names, tls: tls) else {
            let meant = OptionPath.suggestion(for: variable.parts, repositories: names)
            problems.error(
                "unknown-variable", "unknown variable \(Quoted.of(variable.name))",
                at: variable.namePlace, label: meant.map { "did you mean \(Self.prefix)\($0)?" },
                help: meant == nil ? help(variable, names) : nil)
            return
        }
        guard let entry = variable.entry(target.key, target.shape, &problems) else { return }
        Self.set(entry, under: target.tables[...], in: &root)
    }

    private func help(_ variable: Variable, _ repositories: [String]) -> String {
        switch variable.parts[0] {
        case "repositories": "repositories here: \(repositories.joined(separator: ", "))"
        case "listener": "\(Self.prefix)LISTENER='[{ address = \"0.0.0.0:5000\" }]'"
        default: "every key of config.example.toml can be set"
        }
    }

    private static func set(
        _ entry: TOMLTable.Entry, under tables: ArraySlice<String>, in table: inout TOMLTable
    ) {
        guard let first = tables.first else { return table.set(entry) }
        table.updateTable(first) { set(entry, under: tables.dropFirst(), in: &$0) }
    }

    private func applyFlags(to root: inout TOMLTable) {
        if !flags.listen.isEmpty {
            let listeners = flags.listen.map { address in
                var table = TOMLTable()
                table.append(Self.entry("address", address, flag: "--listen"))
                return TOMLNode(content: .table(table))
            }
            root.set(TOMLTable.Entry(key: "listener", value: TOMLNode(content: .array(listeners))))
        }
        if let store = flags.store {
            let path =
                store.hasPrefix("/") || store.isEmpty ? store : "\(host.currentDirectory)/\(store)"
            root.updateTable("cache") { $0.set(Self.entry("path", path, flag: "--store")) }
        }
        if let size = flags.maxSize {
            root.updateTable("cache") { $0.set(Self.entry("max_size", size, flag: "--max-size")) }
        }
    }

    private static func entry(_ key: String, _ value: String, flag: String) -> TOMLTable.Entry {
        let source = SourceText(name: "command line", text: "\(flag) \(value)", isNumbered: false)
        let place = Place(
            source: source, line: 1, column: flag.count + 2,
            width: max(1, value.unicodeScalars.count))
        return TOMLTable.Entry(
            key: key, keyPlace: place, value: TOMLNode(content: .string(value), place: place))
    }

    /// `CACHE__MAX-SIZE` as `cache`, `max_size`.
    private static func parts(_ text: String) -> [String] {
        var parts: [String] = []
        var part = ""
        var rest = Substring(text.lowercased())
        while let character = rest.first {
            if rest.hasPrefix("__"), !part.isEmpty {
                parts.append(part)
                part = ""
                rest = rest.dropFirst(2)
            } else {
                part.append(character == "-" ? "_" : character)
                rest = rest.dropFirst()
            }
        }
        return parts + [part]
    }
}
