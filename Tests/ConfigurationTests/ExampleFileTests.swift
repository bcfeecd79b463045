import TestSupport
import Testing

@testable import Configuration

/// `config.example.toml` and the key table say the same.
@Suite struct ExampleFileTests {
    private static let path =
        #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
        + "/config.example.toml"

    private func lines() throws -> [String] {
        let bytes = try InputFile.read(path: Self.path, max: 1 << 20)
        return String(decoding: bytes, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false
        ).map(String.init)
    }

    /// The file with every option switched on.
    private func switchedOn() throws -> String {
        try lines().map { line in
            line.hasPrefix("#") && !line.hasPrefix("# ") && line != "#"
                ? String(line.dropFirst()) : line
        }.joined(separator: "\n")
    }

    @Test func itLoadsAndChangesNothing() throws {
        let example = try Configuration.load(path: Self.path, environment: home, host: .user).get()
        var builtIn = try Configuration.load(path: nil, environment: home, host: .user).get()
        builtIn.source = Self.path
        #expect(example == builtIn)
    }

    @Test func everyLineOfItIsShortEnoughToRead() throws {
        for line in try lines() { #expect(line.count <= 100) }
    }

    @Test func everyOptionInItExists() throws {
        let directory = try TemporaryDirectory()
        for name in ["docker-hub", "quay"] {
            try directory.write(name, "hunter2", mode: 0o600)
        }
        var environment = home
        environment["CREDENTIALS_DIRECTORY"] = directory.path
        let authority = try TestAuthority()
        let pair = try authority.issue(["cache.example"])
        let files = [
            ("ssl/certs/ca-certificates.crt", directory.file("docker-hub")),
            ("cistern/tls/fullchain.pem", pair.certificate), ("cistern/tls/key.pem", pair.key),
            ("cistern/tls/clients.pem", authority.certificate),
        ]
        let text = try files.reduce(switchedOn()) { $0.replacing("/etc/\($1.0)", with: $1.1) }
        _ = try accept(text, environment: environment)
    }

    @Test func everyOptionThatExistsIsInIt() throws {
        let root = try TOMLDocument.parse(
            Array(try switchedOn().utf8), .init(source: SourceText(name: "example", text: "")))
        let repositories = try #require(root["repositories"]?.value.table)
        var tables: [String: Set<String>] = ["": Set(root.entries.map(\.key))]
        for (name, _) in KeyTable.tables {
            let keys = root[name]?.value.table?.entries.map(\.key) ?? []
            tables[name] = Set(keys)
        }
        if case .array(let listeners)? = root["listener"]?.value.content {
            tables["[listener]"] = Set(listeners.first?.table?.entries.map(\.key) ?? [])
        }
        if case .array(let rules)? = root["auth"]?.value.table?["rule"]?.value.content {
            tables["[auth.rule]"] = Set(rules.first?.table?.entries.map(\.key) ?? [])
        }
        let defaults = root["defaults"]?.value.table?["proxy"]?.value.table?.entries.map(\.key)
        tables["defaults.proxy"] = Set(defaults ?? [])
        var upstreamKeys: Set<String> = []
        for repository in repositories.entries {
            guard case .array(let list)? = repository.value.table?["upstreams"]?.value.content
            else { continue }
            for each in list { upstreamKeys.formUnion(each.table?.entries.map(\.key) ?? []) }
        }
        tables["repositories.NAME.upstreams"] = upstreamKeys
        let keep = repositories.entries.compactMap { $0.value.table?["keep"]?.value.table }
        tables["repositories.NAME.keep"] = Set(keep.flatMap { $0.entries.map(\.key) })
        let certificate = root["tls"]?.value.table?.entries.first?.value.table
        tables["tls.NAME"] = Set(certificate?.entries.map(\.key) ?? [])
        for section in KeyTable.sections {
            let written =
                tables[section.name]
                ?? Set(repositories.entries.flatMap { $0.value.table?.entries.map(\.key) ?? [] })
                .union(defaults ?? [])
            for key in section.keys {
                #expect(written.contains(key.name), "\(section.name).\(key.name) is missing")
            }
        }
    }

    @Test func itShowsEveryDefaultAsItIs() throws {
        let text = try lines().joined(separator: "\n")
        for section in KeyTable.sections {
            for key in section.keys {
                guard case .toml(let value) = key.fallback else { continue }
                let line = "#\(key.name) = \(value)"
                #expect(
                    text.contains("\n\(line)\n") || text.contains("\n\(line) "),
                    "\(line) of [\(section.name)]")
            }
        }
    }

    @Test func everyDefaultIsAValueOfItsKind() throws {
        // Reading a key whose default is none would stop the process.
        _ = try accept("")
        for section in KeyTable.sections {
            #expect(Set(section.keys.map(\.name)).count == section.keys.count)
            for key in section.keys { #expect(!key.summary.isEmpty && key.summary.hasSuffix(".")) }
        }
    }
}
