import Linux
import OCI

/// Builds one proxy repository.
struct ProxyBuilder {
    let name: String
    let source: ConfigurationSource
    /// Where a password is set, once built.
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
        var builder = UpstreamsBuilder(name: name, source: source)
        let upstreams = builder.build(reader, registry, &problems)
        passwordPlace = builder.passwordPlace
        let authentication = reader.value(ProxyKeys.auth, &problems)
        let insecure = reader.value(ProxyKeys.insecure, &problems)
        let sharePrivate = reader.value(ProxyKeys.sharePrivate, &problems)
        let knobs = ProxyKnobs(reader, &problems)
        guard let registry, let upstreams else { return nil }
        noteOddities(reader, upstreams, insecure, &problems)
        if authentication == .passthrough {
            noteNoUse(of: reader, upstreams, knobs.offline, &problems)
        }
        return ProxyConfiguration(
            registry: registry, upstreams: upstreams, offline: knobs.offline,
            authentication: authentication,
            allowNetworks: knobs.allowNetworks, caFile: knobs.caFile, insecure: insecure,
            tagTTL: knobs.tagTTL, missingTTL: knobs.missingTTL, stale: knobs.stale,
            connectTimeout: knobs.connectTimeout, tlsTimeout: knobs.tlsTimeout,
            firstByteTimeout: knobs.firstByteTimeout, stallTimeout: knobs.stallTimeout,
            allow: knobs.allow, deny: knobs.deny, retries: knobs.retries, sharePrivate: sharePrivate
        )
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

    /// What clients' logins cannot be passed on with: one of our own, several upstreams of which
    /// only one may see them, or none at all.
    private func noteNoUse(
        of reader: SectionReader, _ upstreams: [ProxyConfiguration.Upstream], _ offline: Bool,
        _ problems: inout Problems
    ) {
        let place = reader.place(of: ProxyKeys.auth.name)
        if upstreams.contains(where: { $0.credentials != nil }) {
            problems.error(
                "conflict", "proxy `\(name)` passes the clients' logins on and has one of its own",
                at: place, help: "leave out username and password, or auth")
        }
        if upstreams.count > 1 {
            problems.error(
                "conflict",
                "proxy `\(name)` has several upstreams and passes the clients' logins on",
                at: place, help: "clients' logins are for one upstream only")
        }
        if offline {
            problems.error(
                "conflict", "proxy `\(name)` is offline and cannot ask about its clients' rights",
                at: place, help: "leave out auth")
        }
    }

    private func noteOddities(
        _ reader: SectionReader, _ upstreams: [ProxyConfiguration.Upstream], _ insecure: Bool,
        _ problems: inout Problems
    ) {
        if insecure {
            let secured = upstreams.first { $0.url.scheme == .https }
            problems.warning(
                "insecure",
                secured.map { "`\(name)` checks no certificate of \($0.url.host)" }
                    ?? "insecure does nothing for `\(name)`: its upstream is not https",
                at: reader.place(of: ProxyKeys.insecure.name),
                help: secured.map { _ in "ca_file = \"/path\" trusts a private authority" })
        }
        for upstream in upstreams where upstream.credentials != nil && upstream.url.scheme == .http
        {
            let key = reader.isWritten("upstreams") ? ProxyKeys.upstreams.name : "upstream"
            problems.warning(
                "insecure",
                "the password of `\(name)` goes to \(upstream.url.host) unencrypted",
                at: reader.place(of: key))
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
    let offline: Bool
    let allow: [NamePattern]
    let deny: [NamePattern]

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
        offline = reader.value(DefaultsKeys.offline, &problems)
        allow = reader.value(DefaultsKeys.allow, &problems).map(\.value)
        deny = reader.value(DefaultsKeys.deny, &problems).map(\.value)
    }
}
