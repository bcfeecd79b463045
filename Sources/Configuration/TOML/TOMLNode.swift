/// One value of a TOML document with the place it stands at.
struct TOMLNode: Sendable {
    /// What a value is; dates have no place in a configuration and are all `other`.
    enum Content: Sendable {
        case table(TOMLTable)
        case array([TOMLNode])
        case string(String)
        case integer(Int64)
        case float(Double)
        case boolean(Bool)
        case other
    }

    var content: Content
    /// Nil for values that are built in.
    var place: Place?

    var table: TOMLTable? {
        if case .table(let table) = content { table } else { nil }
    }

    /// The type's name for messages, with article.
    var typeName: String {
        switch content {
        case .table: "a table"
        case .array: "a list"
        case .string: "a string"
        case .integer: "a number"
        case .float: "a fraction"
        case .boolean: "true or false"
        case .other: "a date or time"
        }
    }
}

/// The keys and values of a table in the order of the source.
struct TOMLTable: Sendable {
    /// One key with its value.
    struct Entry: Sendable {
        var key: String
        /// Nil for keys that are built in.
        var keyPlace: Place?
        var value: TOMLNode
    }

    private(set) var entries: [Entry]

    init(entries: [Entry] = []) {
        self.entries = entries
    }

    subscript(key: String) -> Entry? {
        entries.first { $0.key == key }
    }

    /// The table without the keys that are not wanted.
    func filtered(_ isWanted: (String) -> Bool) -> TOMLTable {
        TOMLTable(entries: entries.filter { isWanted($0.key) })
    }

    /// Puts a value behind the others; the key must be new.
    mutating func append(_ entry: Entry) {
        entries.append(entry)
    }

    /// Puts a value in, replacing what the key had, in its place.
    mutating func set(_ entry: Entry) {
        if let index = entries.firstIndex(where: { $0.key == entry.key }) {
            entries[index] = entry
        } else {
            entries.append(entry)
        }
    }

    /// Changes the table under a key, making an empty one when there is none.
    ///
    /// Anything else under that key is left alone: it is an error that validation will report.
    mutating func updateTable(_ key: String, _ change: (inout TOMLTable) -> Void) {
        guard let index = entries.firstIndex(where: { $0.key == key }) else {
            var table = TOMLTable()
            change(&table)
            entries.append(Entry(key: key, value: TOMLNode(content: .table(table))))
            return
        }
        guard var table = entries[index].value.table else { return }
        change(&table)
        entries[index].value.content = .table(table)
    }
}
