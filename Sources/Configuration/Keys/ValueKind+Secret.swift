extension ValueKind where Value == SecretSource {
    /// The place a secret is read from; a secret itself is refused (LOC-3).
    static var secret: ValueKind<SecretSource> {
        ValueKind(
            expected: "{ file = \"/path\" }, { credential = \"name\" } or { env = \"NAME\" }",
            shape: .toml, read: SecretSource.read)
    }

    /// The same, or just a file's path: for what stands in a file with every program.
    static var keyFile: ValueKind<SecretSource> {
        ValueKind(
            expected: "\"/path\", or { credential = \"name\" } or { env = \"NAME\" }", shape: .toml
        ) { node, key, problems in
            if case .string(let path) = node.content, path.hasPrefix("/"),
                !path.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
            {
                return .file(path)
            }
            return SecretSource.read(node, key, &problems)
        }
    }
}

extension SecretSource {
    private static let help =
        "{ file = \"/path\" }, { credential = \"name\" } (systemd) or { env = \"NAME\" }"

    fileprivate static func read(
        _ node: TOMLNode, _ key: String, _ problems: inout Problems
    ) -> SecretSource? {
        guard let table = node.table else {
            problems.error(
                "bad-secret", "\(key) does not stand in the configuration itself",
                at: node.place, help: help)
            return nil
        }
        guard table.entries.count == 1, let entry = table.entries.first,
            case .string(let value) = entry.value.content
        else {
            problems.error(
                "bad-secret", "\(key) takes one source", at: node.place, help: help)
            return nil
        }
        guard let source = source(entry.key, value) else {
            problems.error(
                "bad-secret", "\(key) names no source that exists", at: node.place, help: help)
            return nil
        }
        return source
    }

    private static func source(_ kind: String, _ value: String) -> SecretSource? {
        guard !value.isEmpty, !value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            return nil
        }
        switch kind {
        case "file": return value.hasPrefix("/") ? .file(value) : nil
        // A path below $CREDENTIALS_DIRECTORY would leave it by "..".
        case "credential": return value.contains("/") || value == ".." ? nil : .credential(value)
        case "env": return value.contains("=") ? nil : .environment(value)
        default: return nil
        }
    }
}
