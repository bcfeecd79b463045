/// Builds `[repositories.NAME]`: every proxy and group, and what must hold between them.
struct RepositoriesBuilder {
    let source: ConfigurationSource
    let root: TOMLTable
    /// All names written, also of repositories that are otherwise wrong.
    private(set) var declaredNames: [String] = []
    /// Where each proxy's password is set, for errors about sharing it.
    private(set) var passwordPlaces: [String: Place] = [:]

    init(source: ConfigurationSource, root: TOMLTable) {
        self.source = source
        self.root = root
    }

    /// The repositories that could be built, in the order of the file.
    mutating func build(_ problems: inout Problems) -> [RepositoryConfiguration] {
        let defaults = defaultsTable(&problems)
        guard let entry = root["repositories"], let table = entry.value.table else {
            if let entry = root["repositories"] {
                problems.error(
                    "bad-type", "repositories takes tables, not \(entry.value.typeName)",
                    at: entry.keyPlace, help: "[repositories.NAME] on a line of its own")
            }
            return []
        }
        declaredNames = table.entries.map(\.key)
        var built: [RepositoryConfiguration] = []
        for entry in table.entries where isNameValid(entry, &problems) {
            if let repository = repository(entry, defaults, &problems) { built.append(repository) }
        }
        noteDuplicates(built, table, &problems)
        GroupsCheck(repositories: built, declared: declaredNames, table: table).note(&problems)
        return built
    }

    /// `[defaults.proxy]`, read once so that its own errors are noted once.
    private func defaultsTable(_ problems: inout Problems) -> TOMLTable {
        guard let defaults = root["defaults"] else { return TOMLTable() }
        guard let table = defaults.value.table else {
            problems.error(
                "bad-type", "defaults takes tables, not \(defaults.value.typeName)",
                at: defaults.keyPlace, help: "[defaults.proxy] on a line of its own")
            return TOMLTable()
        }
        for entry in table.entries where entry.key != "proxy" {
            problems.error(
                "unknown-key", "unknown table `defaults.\(Quoted.of(entry.key))`",
                at: entry.keyPlace, label: "did you mean `proxy`?")
        }
        guard let proxy = table["proxy"] else { return TOMLTable() }
        guard let keys = proxy.value.table else {
            problems.error(
                "bad-type", "defaults.proxy takes a table, not \(proxy.value.typeName)",
                at: proxy.keyPlace)
            return TOMLTable()
        }
        let reader = SectionReader(
            section: DefaultsKeys.section, table: keys, place: proxy.keyPlace)
        reader.noteUnknownKeys(&problems)
        _ = ProxyKnobs(reader, &problems)
        return keys.filtered { DefaultsKeys.section.key(named: $0) != nil }
    }

    /// A name is a path component of image names, or a registry's name.
    private func isNameValid(_ entry: TOMLTable.Entry, _ problems: inout Problems) -> Bool {
        let name = entry.key
        let good = name.utf8.allSatisfy { byte in
            (97...122).contains(byte) || (48...57).contains(byte) || "._-".utf8.contains(byte)
        }
        let edges = [name.utf8.first, name.utf8.last].allSatisfy { byte in
            byte.map { (97...122).contains($0) || (48...57).contains($0) } ?? false
        }
        let isHost = RegistryAlias.looksLikeHost(name) && name == name.lowercased()
        guard (good && edges && name.utf8.count <= 128) || isHost else {
            problems.error(
                "bad-name", "`\(Quoted.of(name))` is no name for a repository", at: entry.keyPlace,
                help: "lower-case letters and digits, with . _ - between them")
            return false
        }
        guard name != "v2" else {
            problems.error(
                "bad-name", "a repository cannot be called v2: every path begins so",
                at: entry.keyPlace)
            return false
        }
        return true
    }

    private mutating func repository(
        _ entry: TOMLTable.Entry, _ defaults: TOMLTable, _ problems: inout Problems
    ) -> RepositoryConfiguration? {
        let name = Quoted.of(entry.key)
        guard let table = entry.value.table else {
            problems.error(
                "bad-type", "repositories.\(name) takes a table, not \(entry.value.typeName)",
                at: entry.keyPlace)
            return nil
        }
        let place = entry.keyPlace
        let reader = SectionReader(section: RepositoryKeys.section, table: table, place: place)
        guard reader.isWritten(RepositoryKeys.type.name) else {
            let guess = reader.isWritten(GroupKeys.members.name) ? "group" : "proxy"
            problems.error(
                "missing-key", "repository `\(name)` has no type", at: place,
                help: "type = \"\(guess)\"")
            return nil
        }
        switch reader.optional(RepositoryKeys.type, &problems) {
        case .proxy:
            var builder = ProxyBuilder(name: entry.key, source: source)
            let proxy = builder.build(table, place, defaults, &problems)
            passwordPlaces[entry.key] = builder.passwordPlace
            return proxy.map { RepositoryConfiguration(name: entry.key, kind: .proxy($0)) }
        case .group:
            let group = group(name, table, place, &problems)
            return group.map { RepositoryConfiguration(name: entry.key, kind: .group($0)) }
        case .hosted:
            let hosted = hosted(table, place, &problems)
            return RepositoryConfiguration(name: entry.key, kind: .hosted(hosted))
        case nil:
            return nil
        }
    }

    private func group(
        _ name: String, _ table: TOMLTable, _ place: Place?, _ problems: inout Problems
    ) -> GroupConfiguration? {
        let reader = SectionReader(section: GroupKeys.section, table: table, place: place)
        reader.noteUnknownKeys(&problems)
        let members = reader.optional(GroupKeys.members, &problems)
        if !reader.isWritten(GroupKeys.members.name) || members?.isEmpty == true {
            problems.error(
                "missing-key", "group `\(name)` has no members",
                at: reader.place(of: GroupKeys.members.name), help: "members = [\"…\"]")
        }
        let pushTo = reader.optional(GroupKeys.pushTo, &problems)
        return members.map { GroupConfiguration(members: $0.map(\.value), pushTo: pushTo) }
    }

    private func hosted(
        _ table: TOMLTable, _ place: Place?, _ problems: inout Problems
    ) -> HostedConfiguration {
        let reader = SectionReader(section: HostedKeys.section, table: table, place: place)
        reader.noteUnknownKeys(&problems)
        return HostedConfiguration(
            tags: reader.value(HostedKeys.tags, &problems),
            allowsDelete: reader.value(HostedKeys.delete, &problems),
            maxSize: reader.optional(HostedKeys.maxSize, &problems),
            keep: reader.optional(HostedKeys.keep, &problems))
    }

    /// Each registry has one proxy, or `?ns=` would not know which.
    private func noteDuplicates(
        _ built: [RepositoryConfiguration], _ table: TOMLTable, _ problems: inout Problems
    ) {
        var owners: [String: String] = [:]
        for repository in built {
            guard let registry = repository.proxy?.registry else { continue }
            guard let owner = owners[registry] else {
                owners[registry] = repository.name
                continue
            }
            let keys = table[repository.name]?.value.table
            problems.error(
                "duplicate", "`\(owner)` and `\(repository.name)` are proxies of \(registry)",
                at: keys?["registry"]?.value.place ?? table[repository.name]?.keyPlace,
                help: "each registry has one proxy; clients name it by registry")
        }
        noteShadows(built, owners, table, &problems)
    }

    /// A repository called like another one's registry would take its path prefix.
    private func noteShadows(
        _ built: [RepositoryConfiguration], _ owners: [String: String], _ table: TOMLTable,
        _ problems: inout Problems
    ) {
        for repository in built {
            guard let registry = RegistryAlias.normalised(repository.name),
                let owner = owners[registry], owner != repository.name
            else { continue }
            problems.error(
                "duplicate", "`\(repository.name)` is called like the registry of `\(owner)`",
                at: table[repository.name]?.keyPlace,
                help: "rename it: /v2/\(repository.name)/… could mean either")
        }
    }
}
