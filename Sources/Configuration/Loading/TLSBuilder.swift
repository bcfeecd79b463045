import TLS

/// Builds `[tls.NAME]`: reads the files and finds out whether they can be used.
struct TLSBuilder {
    /// Chains and bundles of authorities are far smaller.
    private static let bytesMax = 1 << 20

    let source: ConfigurationSource
    let root: TOMLTable

    /// All names written, also of tables that are otherwise wrong.
    var declaredNames: [String] { root["tls"]?.value.table?.entries.map(\.key) ?? [] }

    /// The certificates that can be used, in the order of the file.
    func build(_ problems: inout Problems) -> [TLSConfiguration] {
        guard let entry = root["tls"] else { return [] }
        guard let table = entry.value.table else {
            problems.error(
                "bad-type", "tls takes tables, not \(entry.value.typeName)", at: entry.keyPlace,
                help: "[tls.NAME] on a line of its own")
            return []
        }
        return table.entries.compactMap { certificate($0, &problems) }
    }

    private func certificate(
        _ entry: TOMLTable.Entry, _ problems: inout Problems
    ) -> TLSConfiguration? {
        guard let table = entry.value.table else {
            problems.error(
                "bad-type",
                "tls.\(Quoted.of(entry.key)) takes a table, not \(entry.value.typeName)",
                at: entry.keyPlace, help: "[tls.NAME] on a line of its own")
            return nil
        }
        let reader = SectionReader(
            section: TLSKeys.section, table: table, place: entry.keyPlace)
        reader.noteUnknownKeys(&problems)
        let minVersion = reader.value(TLSKeys.minVersion, &problems)
        let clientCA = authorities(reader, &problems)
        let chain = file(TLSKeys.certificate, reader, &problems)
        let key = key(reader, &problems)
        for key in [TLSKeys.certificate.name, TLSKeys.key.name] where !reader.isWritten(key) {
            problems.error(
                "missing-key", "tls.\(Quoted.of(entry.key)) has no \(key)", at: entry.keyPlace,
                help: "\(key) = \"/path\"")
        }
        guard let chain, let key else { return nil }
        let built = TLSConfiguration(
            name: entry.key, certificate: chain, key: key, minVersion: minVersion,
            clientCA: clientCA)
        // Only looked at, where the key is not at hand.
        if source.purpose == .check, key.bytes.isEmpty { return built }
        return check(built, reader, &problems) ? built : nil
    }

    // MARK: - Files

    private func file(
        _ key: Key<String>, _ reader: SectionReader, _ problems: inout Problems
    ) -> [UInt8]? {
        guard let path = reader.optional(key, &problems) else { return nil }
        do throws(InputFile.Failure) {
            return try InputFile.read(path: path, max: Self.bytesMax)
        } catch {
            problems.error(
                "file", "cannot read \(Quoted.safe(path)): \(error)",
                at: reader.place(of: key.name))
            return nil
        }
    }

    private func authorities(
        _ reader: SectionReader, _ problems: inout Problems
    ) -> [UInt8]? {
        guard let bytes = file(TLSKeys.clientCA, reader, &problems) else { return nil }
        do throws(TLSError) {
            _ = try TLSAuthorities(bytes)
        } catch {
            problems.error(
                "bad-certificate", "client_ca holds \(error)",
                at: reader.place(of: TLSKeys.clientCA.name))
        }
        return bytes
    }

    private func key(_ reader: SectionReader, _ problems: inout Problems) -> Secret? {
        guard let secret = reader.optional(TLSKeys.key, &problems) else { return nil }
        do throws(SecretSource.LoadError) {
            return try secret.loadText(environment: source.environment)
        } catch {
            let (message, help) = secret.explain(error)
            let place = reader.place(of: TLSKeys.key.name)
            if source.purpose == .check, error == .noCredentialsDirectory {
                problems.warning("bad-secret", message, at: place, help: help)
                return Secret(bytes: [])
            }
            problems.error("bad-secret", message, at: place, help: help)
            return nil
        }
    }

    // MARK: - Checks

    private func check(
        _ built: TLSConfiguration, _ reader: SectionReader, _ problems: inout Problems
    ) -> Bool {
        do throws(TLSError) {
            let pair = try built.pair()
            _ = try TLSContext([pair])
            noteTimes(pair, built.name, reader, &problems)
            return true
        } catch {
            let key = error.isOfKey ? TLSKeys.key.name : TLSKeys.certificate.name
            problems.error(
                "bad-certificate", Self.message(error, key), at: reader.place(of: key),
                help: Self.help(error))
            return false
        }
    }

    private static func message(_ error: TLSError, _ key: String) -> String {
        switch error {
        case .keyMismatch: "\(error)"
        case .refused: "\(key) cannot be used: \(error)"
        default: "\(key) holds \(error)"
        }
    }

    private static func help(_ error: TLSError) -> String? {
        switch error {
        case .encryptedKey: "openssl pkey -in sealed.pem -out key.pem"
        case .keyMismatch: "of a chain, the server's own certificate stands first"
        default: nil
        }
    }

    private func noteTimes(
        _ pair: TLSCertificate, _ name: String, _ reader: SectionReader,
        _ problems: inout Problems
    ) {
        let place = reader.place(of: TLSKeys.certificate.name)
        if pair.hasExpired {
            problems.warning(
                "expired", "the certificate of tls.\(Quoted.of(name)) has expired", at: place)
        } else if pair.isNotYetValid {
            problems.warning(
                "expired", "the certificate of tls.\(Quoted.of(name)) is not valid yet", at: place)
        }
    }
}

/// What must hold between listeners and the certificates they name.
struct TLSCheck {
    let certificates: [TLSConfiguration]
    /// All names written, so that one broken table brings no second error here.
    let declared: [String]

    /// The names of a listener, all of which exist.
    func names(_ reader: SectionReader, _ problems: inout Problems) -> [String] {
        guard let names = reader.optional(ListenerKeys.tls, &problems) else { return [] }
        if names.isEmpty {
            problems.error(
                "bad-value", "tls is empty", at: reader.place(of: ListenerKeys.tls.name),
                help: "leave it out for plain HTTP")
        }
        var seen: Set<String> = []
        for name in names {
            if !declared.contains(name.value) {
                let near = Suggestion.nearest(to: name.value, among: declared)
                problems.error(
                    "unknown-member", "there is no [tls.\(Quoted.of(name.value))]",
                    at: name.place, label: near.map { "did you mean `\($0)`?" })
            } else if !seen.insert(name.value).inserted {
                problems.error(
                    "duplicate", "tls names \"\(Quoted.of(name.value))\" twice", at: name.place)
            }
        }
        noteDifferences(names, &problems)
        return names.map(\.value)
    }

    /// Which certificate is meant shows only when the rules are applied already.
    private func noteDifferences(_ names: [Located<String>], _ problems: inout Problems) {
        let chosen = names.compactMap { name in
            certificates.first { $0.name == name.value }.map { ($0, name.place) }
        }
        guard let (first, _) = chosen.first else { return }
        for (other, place) in chosen.dropFirst() {
            let key =
                other.minVersion != first.minVersion
                ? "min_version" : other.clientCA != first.clientCA ? "client_ca" : nil
            guard let key else { continue }
            problems.error(
                "conflict",
                "tls.\(first.name) and tls.\(other.name) differ in \(key)", at: place,
                help: "on one listener they are the same; or give each a listener of its own")
        }
    }

    /// Notes what no listener shows.
    func noteUnused(
        by listeners: [ListenerConfiguration], _ root: TOMLTable, _ problems: inout Problems
    ) {
        // A name that is spelt wrong elsewhere is said there.
        guard !problems.hasErrors else { return }
        let used = Set(listeners.flatMap(\.tls))
        for entry in root["tls"]?.value.table?.entries ?? [] where !used.contains(entry.key) {
            problems.warning(
                "unused", "no listener has tls = \"\(Quoted.of(entry.key))\"", at: entry.keyPlace)
        }
    }
}
