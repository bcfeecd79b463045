/// Reads where a proxy's registry is reached: `upstream`, or `upstreams` with a login each.
struct UpstreamsBuilder {
    let name: String
    let source: ConfigurationSource
    /// Where a password is set, once built.
    private(set) var passwordPlace: Place?

    init(name: String, source: ConfigurationSource) {
        self.name = name
        self.source = source
    }

    /// The upstreams in the order of asking, at least one; nil when one of them is wrong.
    mutating func build(
        _ reader: SectionReader, _ registry: String?, _ problems: inout Problems
    ) -> [ProxyConfiguration.Upstream]? {
        guard reader.isWritten(ProxyKeys.upstreams.name) else {
            let url = single(reader, registry, &problems)
            let rest = rest(reader, url, &problems)
            return url.map {
                [
                    ProxyConfiguration.Upstream(
                        url: $0, credentials: rest.credentials, realms: rest.realms)
                ]
            }
        }
        noteMixture(reader, &problems)
        guard let entries = reader.optional(ProxyKeys.upstreams, &problems) else { return nil }
        let upstreams = entries.map { upstream($0, &problems) }
        let good = upstreams.compactMap(\.self)
        noteRepetition(good, reader, &problems)
        return good.count == entries.count ? good : nil
    }

    /// What belongs to one upstream stands in its table, so that no login is ever sent to another
    /// one than it was meant for (CRED-4).
    private func noteMixture(_ reader: SectionReader, _ problems: inout Problems) {
        if reader.isWritten(ProxyKeys.upstream.name) {
            problems.error(
                "conflict", "upstream and upstreams are both set",
                at: reader.place(of: ProxyKeys.upstream.name),
                help: "put it into upstreams, last if it is the registry itself")
        }
        let keys = [ProxyKeys.username.name, ProxyKeys.password.name, ProxyKeys.realms.name]
        for key in keys where reader.isWritten(key) {
            problems.error(
                "conflict", "\(key) does not say which of the upstreams it is for",
                at: reader.place(of: key),
                help: "upstreams = [{ url = \"…\", username = \"…\", password = { file = \"…\" } }]"
            )
        }
    }

    private func noteRepetition(
        _ upstreams: [ProxyConfiguration.Upstream], _ reader: SectionReader,
        _ problems: inout Problems
    ) {
        var seen: Set<UpstreamURL> = []
        for upstream in upstreams where !seen.insert(upstream.url).inserted {
            problems.error(
                "duplicate", "\(upstream.url) is in upstreams twice",
                at: reader.place(of: ProxyKeys.upstreams.name))
        }
    }

    private func single(
        _ reader: SectionReader, _ registry: String?, _ problems: inout Problems
    ) -> UpstreamURL? {
        if reader.isWritten(ProxyKeys.upstream.name) {
            return reader.optional(ProxyKeys.upstream, &problems)
        }
        return registry.flatMap {
            try? UpstreamURL(parsing: RegistryAlias.usualUpstream(of: $0))
        }
    }

    private mutating func upstream(
        _ entry: UpstreamEntry, _ problems: inout Problems
    ) -> ProxyConfiguration.Upstream? {
        switch entry {
        case .url(let url, _):
            return ProxyConfiguration.Upstream(
                url: url, credentials: nil, realms: Self.allRealms([], url))
        case .table(let table, let place):
            let reader = SectionReader(section: UpstreamKeys.section, table: table, place: place)
            reader.noteUnknownKeys(&problems)
            let url = reader.optional(UpstreamKeys.url, &problems)
            if !reader.isWritten(UpstreamKeys.url.name) {
                problems.error(
                    "missing-key", "an upstream has no url", at: place,
                    help: "url = \"https://quay.io\"")
            }
            let rest = rest(reader, url, &problems)
            return url.map {
                ProxyConfiguration.Upstream(
                    url: $0, credentials: rest.credentials, realms: rest.realms)
            }
        }
    }

    // MARK: - Login and realms, of a proxy or of a table in `upstreams`

    private mutating func rest(
        _ reader: SectionReader, _ url: UpstreamURL?, _ problems: inout Problems
    ) -> (credentials: Credentials?, realms: [UpstreamURL]) {
        let credentials = credentials(reader, &problems)
        let realms = reader.value(ProxyKeys.realms, &problems)
        guard let url else { return (credentials, []) }
        noteWeakRealms(realms, url, &problems)
        return (credentials, Self.allRealms(realms.map(\.value), url))
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
        let place = reader.place(of: ProxyKeys.password.name)
        if hasPassword { passwordPlace = place }
        guard let username, let source else { return nil }
        return load(source, username, place, &problems)
    }

    private func load(
        _ secret: SecretSource, _ username: String, _ place: Place?, _ problems: inout Problems
    ) -> Credentials? {
        do throws(SecretSource.LoadError) {
            let password = try secret.load(environment: source.environment)
            return Credentials(username: username, password: password, source: secret)
        } catch {
            let (message, help) = secret.explain(error)
            if source.purpose == .check, error == .noCredentialsDirectory {
                problems.warning("bad-secret", message, at: place, help: help)
                // Only looked at, never used: that there is a login matters to other checks.
                return Credentials(username: username, password: Secret(bytes: []), source: secret)
            }
            problems.error("bad-secret", message, at: place, help: help)
            return nil
        }
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

    private static func allRealms(
        _ written: [UpstreamURL], _ upstream: UpstreamURL
    ) -> [UpstreamURL] {
        guard upstream.scheme == .https, upstream.port == 443 else { return written }
        let builtIn = RegistryAlias.builtInRealms(ofUpstreamHost: upstream.host)
            .compactMap { try? UpstreamURL(parsing: $0) }
        return written + builtIn.filter { !written.contains($0) }
    }
}
