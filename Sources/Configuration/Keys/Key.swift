/// One option: what it is called, what it takes, what it means and what holds when it is not set.
///
/// The keys of all sections together are the one table behind validation, defaults, environment
/// names, did-you-mean and the check of `config.example.toml`.
struct Key<Value: Sendable>: Sendable {
    let name: String
    let kind: ValueKind<Value>
    let fallback: Fallback
    /// What it means, in one line.
    let summary: String
    /// Words of other tools, or of this one's earlier versions, that mean this key.
    let synonyms: [String]

    init(
        _ name: String, _ kind: ValueKind<Value>, default fallback: Fallback,
        also synonyms: [String] = [], _ summary: String
    ) {
        self.name = name
        self.kind = kind
        self.fallback = fallback
        self.summary = summary
        self.synonyms = synonyms
    }

    /// The key without its type, for tables of keys.
    var description: KeyDescription {
        KeyDescription(
            name: name, expected: kind.expected, shape: kind.shape, fallback: fallback,
            summary: summary, synonyms: synonyms)
    }
}

/// What holds when a key is not set.
enum Fallback: Sendable, Equatable {
    /// This TOML value.
    case toml(String)
    /// Something worked out from the rest; the words say what.
    case computed(String)
    /// The key must be set.
    case required
}

/// A key without its type.
struct KeyDescription: Sendable {
    let name: String
    /// What it takes, in words.
    let expected: String
    let shape: ValueShape
    let fallback: Fallback
    let summary: String
    let synonyms: [String]
}

/// How the text of an environment variable becomes a value.
enum ValueShape: Sendable {
    /// It is the string.
    case string
    /// It is read as TOML: numbers, true and false, lists, inline tables.
    case toml
}
