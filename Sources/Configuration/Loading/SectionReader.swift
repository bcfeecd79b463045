/// Reads the values of one table by its keys, with inheritance and defaults.
struct SectionReader: Sendable {
    let section: Section
    /// What is written; empty where the table is not there.
    let table: TOMLTable
    /// The table's own place, for what is missing in it.
    let place: Place?
    /// What holds where this table says nothing: `[defaults.proxy]`.
    var inherited = TOMLTable()

    /// A key's value: written here, inherited, or the default.
    ///
    /// Where a wrong value is written that is noted, and the default stands in for it.
    func value<Value>(_ key: Key<Value>, _ problems: inout Problems) -> Value {
        if let value = optional(key, &problems) { return value }
        guard case .toml(let text) = key.fallback else {
            preconditionFailure("\(key.name) has no default, so it must be read as optional")
        }
        let source = SourceText(name: "default", text: text)
        var own = Problems()
        guard let node = try? TOMLDocument.parseValue(text, .init(source: source)),
            let value = key.kind.read(node, key.name, &own)
        else { preconditionFailure("the default of \(key.name) is not a value of its kind") }
        return value
    }

    /// A key's value if it is written here or inherited, and right.
    func optional<Value>(_ key: Key<Value>, _ problems: inout Problems) -> Value? {
        precondition(section.key(named: key.name) != nil, "\(key.name) is not in the key table")
        if let entry = table[key.name] {
            return key.kind.read(entry.value, key.name, &problems)
        }
        guard let entry = inherited[key.name] else { return nil }
        // Its own table has been read already, with its errors noted.
        var noted = Problems()
        return key.kind.read(entry.value, key.name, &noted)
    }

    /// Where a key's value stands, else its table.
    func place(of key: String) -> Place? {
        table[key]?.value.place ?? inherited[key]?.value.place ?? place
    }

    /// Whether a key is written in this very table.
    func isWritten(_ key: String) -> Bool { table[key] != nil }

    /// Notes every key that the section does not have.
    func noteUnknownKeys(_ problems: inout Problems) {
        for entry in table.entries where section.key(named: entry.key) == nil {
            guard !problems.isFull else { return }
            let near = section.suggestion(for: entry.key)
            problems.error(
                "unknown-key",
                "unknown key `\(Quoted.of(entry.key))` \(section.whereabouts)",
                at: entry.keyPlace, label: near.map { "did you mean `\($0)`?" },
                help: near == nil ? help(for: entry.key) : nil)
        }
    }

    /// What can be said of a key that resembles none here.
    private func help(for key: String) -> String {
        let elsewhere = KeyTable.sections.first { $0.key(named: key) != nil }
        if let elsewhere, !elsewhere.name.isEmpty {
            return "`\(key)` is a key of [\(elsewhere.name)]"
        }
        return "keys here: " + section.keys.map(\.name).joined(separator: ", ")
    }
}
