import Access

/// Keys of `[auth]`.
enum AuthKeys {
    static let anonymous = Key(
        "anonymous", ValueKind<AuthConfiguration.Anonymous>.choice, default: .toml("\"pull\""),
        also: ["guest", "public", "force_basic_auth", "forcebasicauth", "anonymous_pull"],
        "What may be done without a login: pull or none.")
    static let htpasswd = Key(
        "htpasswd", .absolutePath, default: .computed("no users"),
        also: ["passwords", "password_file", "users", "userfile", "passwd", "path"],
        "The file of users and bcrypt hashes that cistern user edits.")
    static let tokens = Key(
        "tokens", .absolutePath, default: .computed("tokens in the store"),
        also: ["token_file", "robots", "robot_accounts", "api_keys", "apikeys"],
        "The file of robots' tokens that cistern token edits.")
    static let realm = Key(
        "realm", .realmText, default: .toml("\"Cistern\""), also: ["service", "name", "issuer"],
        "The name that clients show when they ask for a login.")
    static let url = Key(
        "url", .publicURL, default: .computed("the address that the client uses"),
        also: ["public_url", "external_url", "base_url", "externalurl", "server", "token_url"],
        "Where clients reach this registry: behind a proxy that speaks TLS for it.")
    static let rule = Key(
        "rule", .tables("rules"), default: .computed("users may pull, nobody may push"),
        also: ["rules", "acl", "policy", "policies", "permissions", "access"],
        "Who may do what, in order; the first that is about user and name decides.")
    static let groups = Key(
        "groups", .groups, default: .computed("none"), also: ["group", "teams", "roles"],
        "Users by the name of their group.")

    static let section = Section(
        name: "auth", whereabouts: "in [auth]",
        keys: [
            anonymous.description, htpasswd.description, tokens.description, realm.description,
            url.description, rule.description, groups.description,
        ])
}

/// Keys of `[[auth.rule]]`.
enum AuthRuleKeys {
    static let users = Key(
        "users", ValueKind.list(.word("a user, a pattern or @group"), of: "users"),
        default: .required, also: ["user", "subjects", "who", "account", "accounts", "members"],
        "Names with * for any characters, @group; \"*\" is everybody.")
    static let repositories = Key(
        "repositories", ValueKind.list(ValueKind<AccessPattern>.accessPattern, of: "patterns"),
        default: .required,
        also: ["repository", "repos", "repo", "names", "name", "paths", "path", "projects"],
        "Repositories, or names in them: releases, releases/web/**.")
    static let allow = Key(
        "allow", ValueKind.list(ValueKind<Action>.choice, of: "actions"), default: .required,
        also: ["actions", "action", "permissions", "rights", "grant", "verbs"],
        "pull, push, delete, admin (all of them); [] forbids.")

    static let section = Section(
        name: "[auth.rule]", whereabouts: "in [[auth.rule]]",
        keys: [users.description, repositories.description, allow.description])
}

extension ValueKind where Value == AccessPattern {
    /// `releases`, `releases/web/**`, `*`.
    static var accessPattern: ValueKind<AccessPattern> {
        .text("a pattern of names") { text in
            AccessPattern(parsing: text).map { .value($0) }
                ?? .wrong(
                    "\"\(Quoted.of(text))\" is no pattern of names",
                    help: "a repository, or repository/name, with * and **: \"releases/web/**\"")
        }
    }
}

extension ValueKind where Value == String {
    /// Words that can stand between quotes in a header.
    static var realmText: ValueKind<String> {
        .text("a short name") { text in
            let isGood = text.utf8.allSatisfy { byte in
                (0x20...0x7e).contains(byte) && byte != UInt8(ascii: "\"")
                    && byte != UInt8(ascii: "\\")
            }
            guard isGood, (1...64).contains(text.utf8.count) else {
                return .wrong("takes up to 64 ASCII characters without quotes", help: nil)
            }
            return .value(text)
        }
    }

    /// `https://registry.example.org`, without a path.
    static var publicURL: ValueKind<String> {
        .text("a URL such as \"https://registry.example.org\"", code: "bad-url") { text in
            let host = ["https://", "http://"].compactMap { scheme in
                text.hasPrefix(scheme) ? text.dropFirst(scheme.count) : nil
            }.first
            let allowed = { (byte: UInt8) in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || ".-:[]".utf8.contains(byte)
            }
            guard let host, !host.isEmpty, host.utf8.count <= 262, host.utf8.allSatisfy(allowed)
            else {
                return .wrong(
                    "takes scheme, host and port alone", help: "\"https://registry.example.org\"")
            }
            return .value(text)
        }
    }
}

extension ValueKind where Value == [TOMLNode] {
    /// A list of tables, each with keys of its own.
    static func tables(_ what: String) -> ValueKind<[TOMLNode]> {
        ValueKind(expected: "a list of \(what)", shape: .toml) { node, key, problems in
            guard case .array(let nodes) = node.content, nodes.allSatisfy({ $0.table != nil })
            else {
                problems.error(
                    "bad-type", "\(key) takes a list of tables", at: node.place,
                    help: "[[auth.\(key)]] with two brackets on each side")
                return nil
            }
            return nodes
        }
    }
}

extension ValueKind where Value == [String: [String]] {
    /// `[auth.groups]`: lists of users by group.
    static var groups: ValueKind<[String: [String]]> {
        ValueKind(expected: "a table of groups", shape: .toml) { node, key, problems in
            guard let table = node.table else {
                problems.wrongType(of: key, expected: "a table of groups", node)
                return nil
            }
            var groups: [String: [String]] = [:]
            let users = ValueKind<[Located<String>]>.list(.word("a user's name"), of: "users")
            for entry in table.entries {
                let found = users.read(entry.value, entry.key, &problems)
                groups[entry.key] = found?.map(\.value) ?? []
            }
            return groups
        }
    }
}
