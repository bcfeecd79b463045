/// The place in the tree that an environment variable's name means.
struct OptionPath: Sendable, Equatable {
    /// The tables that lead to the key.
    let tables: [String]
    let key: String
    let shape: ValueShape

    /// Tables that hold keys, by the name they have in the file.
    private static let plainSections = [
        CacheKeys.section, AdminKeys.section, AuthKeys.section, LimitsKeys.section,
        ThreadsKeys.section,
        LogKeys.section,
    ]

    private static let repositoryKeys = ProxyKeys.section.keys + [GroupKeys.members.description]

    /// Resolves the parts of a name, lower case with underscores; nil when nothing is called so.
    init?(_ parts: [String], repositories: [String], tls: [String] = []) {
        switch parts.count {
        case 1:
            let isTable = KeyTable.tables.contains { $0.name == parts[0] }
            guard isTable || parts[0] == TopKeys.version.name else { return nil }
            self.init(tables: [], key: parts[0], shape: .toml)
        case 2 where parts == ["defaults", "proxy"]:
            self.init(tables: ["defaults"], key: "proxy", shape: .toml)
        case 2 where parts[0] == "repositories":
            guard let name = Self.named(parts[1], repositories) else { return nil }
            self.init(tables: ["repositories"], key: name, shape: .toml)
        case 2 where parts[0] == "tls":
            guard let name = Self.named(parts[1], tls) else { return nil }
            self.init(tables: ["tls"], key: name, shape: .toml)
        case 3 where parts[0] == "tls":
            guard let name = Self.named(parts[1], tls),
                let key = TLSKeys.section.key(named: parts[2])
            else { return nil }
            self.init(tables: ["tls", name], key: key.name, shape: key.shape)
        case 2:
            let section = Self.plainSections.first { $0.name == parts[0] }
            guard let key = section?.key(named: parts[1]) else { return nil }
            self.init(tables: [parts[0]], key: key.name, shape: key.shape)
        case 3 where parts[..<2] == ["defaults", "proxy"]:
            guard let key = DefaultsKeys.section.key(named: parts[2]) else { return nil }
            self.init(tables: ["defaults", "proxy"], key: key.name, shape: key.shape)
        case 3 where parts[0] == "repositories":
            guard let name = Self.named(parts[1], repositories),
                let key = Self.repositoryKeys.first(where: { $0.name == parts[2] })
            else { return nil }
            self.init(tables: ["repositories", name], key: key.name, shape: key.shape)
        default:
            return nil
        }
    }

    private init(tables: [String], key: String, shape: ValueShape) {
        self.tables = tables
        self.key = key
        self.shape = shape
    }

    /// A table by its name in a variable, where `docker.io` is spelt `DOCKER_IO`.
    private static func named(_ part: String, _ names: [String]) -> String? {
        names.first { spelt($0) == part || $0.lowercased() == part }
    }

    private static func spelt(_ name: String) -> String {
        String(name.lowercased().map { "-.:".contains($0) ? "_" : $0 })
    }

    /// What was meant by a name that means nothing, without the prefix.
    static func suggestion(for parts: [String], repositories: [String]) -> String? {
        guard let first = parts.first, let table = tableMeant(by: first) else { return nil }
        var meant = [table]
        for part in parts.dropFirst() {
            guard let next = next(after: meant, part, repositories) else { return nil }
            meant.append(next)
        }
        guard OptionPath(meant, repositories: repositories) != nil else { return nil }
        return meant.map { $0.uppercased() }.joined(separator: "__")
    }

    private static func tableMeant(by word: String) -> String? {
        let folded = Suggestion.folded(word)
        let table = KeyTable.tables.first { table in
            table.name == word || table.synonyms.contains { Suggestion.folded($0) == folded }
        }
        let names = KeyTable.tables.map(\.name) + [TopKeys.version.name]
        return table?.name ?? Suggestion.nearest(to: word, among: names)
    }

    private static func next(
        after parts: [String], _ word: String, _ repositories: [String]
    ) -> String? {
        switch (parts[0], parts.count) {
        case ("repositories", 1):
            return Suggestion.nearest(to: word, among: repositories.map(spelt))
        case ("repositories", 2):
            return ProxyKeys.section.suggestion(for: word)
        case ("defaults", 1):
            return "proxy"
        case ("defaults", 2):
            return DefaultsKeys.section.suggestion(for: word)
        default:
            return plainSections.first { $0.name == parts[0] }?.suggestion(for: word)
        }
    }
}
