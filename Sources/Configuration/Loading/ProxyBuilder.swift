import Linux

/// Builds one proxy repository.
struct ProxyBuilder {
    let name: String
    let source: ConfigurationSource
    /// Where the password is set, once built.
    private(set) var passwordPlace: Place?

    init(name: String, source: ConfigurationSource) {
        self.name = name
        self.source = source
    }

    /// The proxy, or nil when a part that it cannot be without is missing or wrong.
    mutating func build(
        _ table: TOMLTable, _ place: Place?, _ defaults: TOMLTable, _ problems: inout Problems
    ) -> ProxyConfiguration? {
        let reader = SectionReader(
            section: ProxyKeys.section, table: table, place: place, inherited: defaults)
        reader.noteUnknownKeys(&problems)
        let registry = registry(reader, &problems)
        let upstream = upstream(reader, registry, &problems)
        let credentials = credentials(reader, &problems)
        let authentication = reader.value(ProxyKeys.auth, &problems)
        let realms = reader.value(ProxyKeys.realms, &problems)
        let insecure = reader.value(ProxyKeys.insecure, &problems)
        let sharePrivate = reader.value(ProxyKeys.sharePrivate, &problems)
        let knobs = ProxyKnobs(reader, &problems)
        guard let registry, let upstream else { return nil }
        noteWeakRealms(realms, upstream, &problems)
        noteOddities(reader, upstream, insecure, &problems)
        noteTwoLogins(reader, authentication, credentials, &problems)
        return ProxyConfiguration(
            registry: registry, upstream: upstream, credentials: credentials,
            authentication: authentication, realms: allRealms(realms.map(\.value), upstream),
            allowNetworks: knobs.allowNetworks, caFile: knobs.caFile, insecure: insecure,
            tagTTL: knobs.tagTTL, missingTTL: knobs.missingTTL, stale: knobs.stale,
            connectTimeout: knobs.connectTimeout, tlsTimeout: knobs.tlsTimeout,
            firstByteTimeout: knobs.firstByteTimeout, stallTimeout: knobs.stallTimeout,
            retries: knobs.retries, sharePrivate: sharePrivate)
    }

    private func registry(_ reader: SectionReader, _ problems: inout Problems) -> String? {
        if reader.isWritten(ProxyKeys.registry.name) {
            return reader.optional(ProxyKeys.registry, &problems)
        }
        if RegistryAlias.looksLikeHost(name) { return RegistryAlias.normalised(name) }
        problems.error(
            "missing-key", "proxy `\(name)` has no registry", at: reader.place,
            help: "registry = \"quay.io\": the name people write in image names")
        return nil
    }

    private func upstream(
        _ reader: SectionReader, _ registry: String?, _ problems: inout Problems
    ) -> UpstreamURL? {
        if reader.isWritten(ProxyKeys.upstream.name) {
            return reader.optional(ProxyKeys.upstream, &problems)
        }
        return registry.flatMap {
            try? UpstreamURL(parsing: RegistryAlias.usualUpstream(of: $0))
        }
    }

    private mutating func credentials(
        _ reader: SectionReader, _ problems: inout Problems
    ) -> Credentials? {
        let hasName = reader.isWritten(ProxyKeys.username.name)
        let hasPassword = reader.isWritten(ProxyKeys.password.name)
        let username = reader.optional(ProxyKeys.username, &problems)
        let source = reader.optional(ProxyKeys.password, &problems)
        guard hasName == hasPassword else {
            problems.error(
                "missing-key",
                hasName ? "username without password" : "password without username",
                at: reader.place(
                    of: hasName ? ProxyKeys.username.name : ProxyKeys.password.name),
                help: hasName ? "password = { file = \"/path\" }" : "username = \"…\"")
            return nil
        }
        if let username, username.contains(":") {
            problems.error(
                "bad-value", "username holds a colon, which Basic authentication cannot carry",
                at: reader.place(of: ProxyKeys.username.name))
        }
        passwordPlace = reader.place(of: ProxyKeys.password.name)
        guard let username, let source else { return nil }
        return load(source, username, &problems)
    }

    private func load(
        _ secret: SecretSource, _ username: String, _ problems: inout Problems
    ) -> Credentials? {
        do throws(SecretSource.LoadError) {
            let password = try secret.load(environment: source.environment)
            return Credentials(username: username, password: password, source: secret)
        } catch {
            let (message, help) = secret.explain(error)
            if source.purpose == .check, error == .noCredentialsDirectory {
                problems.warning("bad-secret", message, at: passwordPlace, help: help)
                // Only looked at, never used: that there is a login matters to other checks.
                return Credentials(username: username, password: Secret(bytes: []), source: secret)
            }
            problems.error("bad-secret", message, at: passwordPlace, help: help)
            return nil
        }
    }

    /// With the clients' logins there is no use for another.
    private func noteTwoLogins(
        _ reader: SectionReader, _ authentication: ProxyConfiguration.Authentication,
        _ credentials: Credentials?, _ problems: inout Problems
    ) {
        guard authentication == .passthrough, credentials != nil else { return }
        problems.error(
            "conflict", "proxy `\(name)` passes the clients' logins on and has one of its own",
            at: reader.place(of: ProxyKeys.auth.name),
            help: "leave out username and password, or auth")
    }

    /// A password that goes to the upstream encrypted goes nowhere in the clear (CRED-1).
    private func noteWeakRealms(
        _ realms: [Located<UpstreamURL>], _ upstream: UpstreamURL, _ problems: inout Problems
    ) {
        for realm in realms where upstream.scheme == .https && realm.value.scheme == .http {
            problems.error(
                "bad-url", "a realm in http is weaker than its upstream in https", at: realm.place,
                help: "https://\(realm.value.host)\(realm.value.path)")
        }
    }

    private func noteOddities(
        _ reader: SectionReader, _ upstream: UpstreamURL, _ insecure: Bool,
        _ problems: inout Problems
    ) {
        if insecure {
            problems.warning(
                "insecure",
                upstream.scheme == .https
                    ? "`\(name)` checks no certificate of \(upstream.host)"
                    : "insecure does nothing for `\(name)`: its upstream is not https",
                at: reader.place(of: ProxyKeys.insecure.name),
                help: upstream.scheme == .https
                    ? "ca_file = \"/path\" trusts a private authority" : nil)
        }
        if upstream.scheme == .http, passwordPlace != nil, reader.isWritten("password") {
            problems.warning(
                "insecure", "the password of `\(name)` goes to \(upstream.host) unencrypted",
                at: reader.place(of: ProxyKeys.upstream.name))
        }
        if let file = reader.optional(DefaultsKeys.caFile, &problems) {
            noteUnreadable(file, reader.place(of: DefaultsKeys.caFile.name), &problems)
        }
    }

    private func noteUnreadable(_ file: String, _ place: Place?, _ problems: inout Problems) {
        do throws(InputFile.Failure) {
            _ = try InputFile.read(path: file, max: 16 << 20)
        } catch {
            problems.error("file", "cannot read \(Quoted.safe(file)): \(error)", at: place)
        }
    }

    private func allRealms(_ written: [UpstreamURL], _ upstream: UpstreamURL) -> [UpstreamURL] {
        guard upstream.scheme == .https, upstream.port == 443 else { return written }
        let builtIn = RegistryAlias.builtInRealms(ofUpstreamHost: upstream.host)
            .compactMap { try? UpstreamURL(parsing: $0) }
        return written + builtIn.filter { !written.contains($0) }
    }
}

/// The settings of a proxy that `[defaults.proxy]` can give for all.
struct ProxyKnobs {
    let allowNetworks: [Network]
    let caFile: String?
    let tagTTL: Duration
    let missingTTL: Duration
    let stale: Duration
    let connectTimeout: Duration
    let tlsTimeout: Duration
    let firstByteTimeout: Duration
    let stallTimeout: Duration
    let retries: Int

    init(_ reader: SectionReader, _ problems: inout Problems) {
        allowNetworks = reader.value(DefaultsKeys.allowNetworks, &problems).map(\.value)
        caFile = reader.optional(DefaultsKeys.caFile, &problems)
        tagTTL = reader.value(DefaultsKeys.tagTTL, &problems)
        missingTTL = reader.value(DefaultsKeys.missingTTL, &problems)
        stale = reader.value(DefaultsKeys.stale, &problems)
        connectTimeout = reader.value(DefaultsKeys.connectTimeout, &problems)
        tlsTimeout = reader.value(DefaultsKeys.tlsTimeout, &problems)
        firstByteTimeout = reader.value(DefaultsKeys.firstByteTimeout, &problems)
        stallTimeout = reader.value(DefaultsKeys.stallTimeout, &problems)
        retries = reader.value(DefaultsKeys.retries, &problems)
    }
}
