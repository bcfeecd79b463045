import OCI

extension ValueKind where Value == NamePattern {
    /// A pattern of image names.
    static var namePattern: ValueKind<NamePattern> {
        .text("a pattern of image names such as \"library/*\"") { text in
            guard let pattern = NamePattern(parsing: text) else {
                return .wrong(
                    "takes patterns of image names, not \"\(Quoted.of(text))\"",
                    help: "* stands for one part of a name, ** for any: library/*, acme/**")
            }
            return .value(pattern)
        }
    }
}

extension ValueKind where Value == HostedConfiguration.Keep {
    /// `{ last = 20, newer_than = "90d" }`, at least one of them.
    static var keep: ValueKind<HostedConfiguration.Keep> {
        let expected = "a table { last = 20, newer_than = \"90d\" }"
        return ValueKind(expected: expected, shape: .toml) { node, key, problems in
            guard let table = node.table else {
                problems.wrongType(of: key, expected: expected, node)
                return nil
            }
            let reader = SectionReader(
                section: KeepKeys.section, table: table, place: node.place)
            reader.noteUnknownKeys(&problems)
            let keep = HostedConfiguration.Keep(
                last: reader.optional(KeepKeys.last, &problems),
                newerThan: reader.optional(KeepKeys.newerThan, &problems))
            guard table.entries.isEmpty else { return keep }
            problems.error(
                "missing-key", "\(key) says nothing", at: node.place,
                help: "\(key) = { last = 20 }")
            return nil
        }
    }
}
