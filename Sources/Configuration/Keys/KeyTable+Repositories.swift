import Linux
import OCI

/// What a repository may be.
enum RepositoryType: String, Sendable, CaseIterable {
    case proxy, hosted, group
}

/// Keys of every `[repositories.NAME]`.
enum RepositoryKeys {
    static let type = Key(
        "type", ValueKind<RepositoryType>.choice, default: .required, also: ["kind", "format"],
        "proxy: another registry, fetched once and kept. hosted: your own. group: several.")

    static let section = Section(
        name: "repositories.NAME", whereabouts: "in a repository", keys: [type.description])
}

/// Keys of a group.
enum GroupKeys {
    static let members = Key(
        "members",
        ValueKind.list(.word("a repository's name"), of: "repository names"), default: .required,
        also: ["member", "repositories", "membernames", "member_names"],
        "The repositories, in order of precedence.")

    static let pushTo = Key(
        "push_to", .word("a repository's name"), default: .computed("pushes are refused"),
        also: ["pushto", "writable_member", "writablemember", "push"],
        "The hosted member that takes what is pushed to the group.")

    static let section = Section(
        name: "repositories.NAME (group)", whereabouts: "in a group repository",
        keys: [RepositoryKeys.type.description, members.description, pushTo.description])
}

/// Keys of a hosted repository.
enum HostedKeys {
    static let tags = Key(
        "tags", ValueKind<HostedConfiguration.Tags>.choice, default: .toml("\"mutable\""),
        also: ["tag", "write_policy", "writepolicy", "deployment_policy", "immutable"],
        "mutable, immutable, or \"immutable except latest\": whether a tag may be moved.")
    static let delete = Key(
        "delete", .boolean, default: .toml("false"),
        also: ["allow_delete", "deletable", "delete_enabled"],
        "Whether tags, manifests and blobs may be deleted.")
    static let maxSize = Key(
        "max_size", .size, default: .computed("as much as the store"),
        also: ["quota", "size", "limit", "hard_quota"],
        "What all of it may take on disk.")
    static let keep = Key(
        "keep", .keep, default: .computed("every tag stays"),
        also: ["retention", "retain", "cleanup", "cleanup_policy"],
        "Which tags stay of each name, { last = 20, newer_than = \"90d\" }; others go."
    )

    static let section = Section(
        name: "repositories.NAME (hosted)", whereabouts: "in a hosted repository",
        keys: [
            RepositoryKeys.type.description, tags.description, delete.description,
            maxSize.description, keep.description,
        ])
}

/// Keys of `keep` in a hosted repository.
enum KeepKeys {
    static let last = Key(
        "last", ValueKind.integer(1...1_000_000), default: .computed("no number"),
        also: ["count", "newest", "number"],
        "So many of the newest tags stay.")
    static let newerThan = Key(
        "newer_than", .duration(from: .seconds(1)), default: .computed("no age"),
        also: ["age", "younger_than", "max_age", "days"],
        "Tags pushed so lately stay.")

    static let section = Section(
        name: "repositories.NAME.keep", whereabouts: "in keep",
        keys: [last.description, newerThan.description])
}

/// Keys of a proxy that only it can have.
enum ProxyKeys {
    static let registry = Key(
        "registry", .registry, default: .computed("the repository's name, if it is a host name"),
        also: ["host", "domain", "ns", "namespace"],
        "The name people write in image names; decides ?ns= and the path prefix.")
    static let upstream = Key(
        "upstream", .upstreamURL, default: .computed("https:// and the registry's name"),
        also: [
            "remote", "remoteurl", "remote_url", "proxy_url", "url", "endpoint", "source",
        ],
        "Where the registry is reached.")
    static let upstreams = Key(
        "upstreams", .upstreams, default: .computed("upstream alone"),
        also: ["urls", "endpoints", "mirror", "mirrors", "remotes", "fallback", "fallbacks"],
        "Several places in the order of asking, the registry itself last.")
    static let username = Key(
        "username", .word("a user name"), default: .computed("pull anonymously"),
        also: ["user", "login", "account"],
        "The login at the upstream.")
    static let password = Key(
        "password", .secret, default: .computed("pull anonymously"),
        also: ["pass", "secret", "token", "access_token"],
        "The password or access token: where it is read from, never itself.")
    static let sharePrivate = Key(
        "share_private", .boolean, default: .toml("false"), also: ["share", "public"],
        "Whether others than this machine may pull what the login opens.")
    static let auth = Key(
        "auth", ValueKind<ProxyConfiguration.Authentication>.choice,
        default: .toml("\"configured\""),
        also: ["authentication", "auth_mode", "passthrough", "pass_through", "forward_auth"],
        "configured: username and password, if any. passthrough: each client's own login.")
    static let realms = Key(
        "realms", ValueKind.list(ValueKind<UpstreamURL>.realmURL, of: "URLs"),
        default: .toml("[]"),
        also: ["realm", "token_url", "auth_url", "token_realms"],
        "Token services that may be asked besides the upstream itself.")
    /// Not among the defaults: certificates go unchecked only where somebody wrote so (TLS-1).
    static let insecure = Key(
        "insecure", .boolean, default: .toml("false"),
        also: ["skip_verify", "insecure_skip_verify", "tls_verify", "tlsverify", "verify"],
        "true: check neither certificate nor name of this upstream; warned about at each start.")

    static let section = Section(
        name: "repositories.NAME (proxy)", whereabouts: "in a proxy repository",
        keys: [
            RepositoryKeys.type.description, registry.description, upstream.description,
            upstreams.description, username.description, password.description,
            sharePrivate.description, auth.description, realms.description, insecure.description,
        ] + DefaultsKeys.section.keys)
}

/// Keys of a table in `upstreams`; those of a login are `ProxyKeys`'.
enum UpstreamKeys {
    static let url = Key(
        "url", .upstreamURL, default: .required,
        also: ["upstream", "remote", "remoteurl", "endpoint", "address", "server"],
        "Where it is reached.")

    static let section = Section(
        name: "repositories.NAME.upstreams", whereabouts: "in upstreams",
        keys: [
            url.description, ProxyKeys.username.description, ProxyKeys.password.description,
            ProxyKeys.realms.description,
        ])
}

/// Keys of a proxy that `[defaults.proxy]` can set for all.
enum DefaultsKeys {
    static let allow = Key(
        "allow", ValueKind.list(ValueKind<NamePattern>.namePattern, of: "patterns of image names"),
        default: .toml("[\"**\"]"), also: ["allowed", "include", "only", "whitelist", "names"],
        "Image names that are asked for at all: library/*, acme/**.")
    static let deny = Key(
        "deny", ValueKind.list(ValueKind<NamePattern>.namePattern, of: "patterns of image names"),
        default: .toml("[]"), also: ["denied", "exclude", "block", "blacklist", "blocklist"],
        "Image names that are never asked for, whatever allow says.")
    static let allowNetworks = Key(
        "allow_networks", ValueKind.list(ValueKind<Network>.network, of: "networks"),
        default: .toml("[]"), also: ["networks", "allowed_networks", "trusted_networks"],
        "Networks that redirects, realms and CDNs may be on besides public addresses.")
    static let caFile = Key(
        "ca_file", .absolutePath, default: .computed("the system's"),
        also: ["ca", "cafile", "ca_cert", "certs", "certificate", "rootcertbundle", "tls_ca"],
        "Certificate authorities to trust besides the system's.")
    static let tagTTL = Key(
        "tag_ttl", .duration(), default: .toml("\"15m\""),
        also: ["ttl", "max_age", "metadata_max_age", "content_max_age", "poll_interval"],
        "How long a tag is believed before the upstream is asked again.")
    static let missingTTL = Key(
        "missing_ttl", .duration(to: .seconds(86400)), default: .toml("\"30s\""),
        also: ["negative_cache", "negative_ttl", "not_found_ttl", "negative_cache_ttl"],
        "How long \"no such tag\" is believed.")
    static let stale = Key(
        "stale", .duration(), default: .toml("\"30d\""),
        also: ["max_stale", "stale_ttl", "stale_if_error", "serve_stale"],
        "How old a tag may be that is served when the upstream fails.")
    static let connectTimeout = Key(
        "connect_timeout", timeout, default: .toml("\"3s\""),
        also: ["dial_timeout", "timeout", "connection_timeout"],
        "Bound on resolving the name and connecting.")
    static let tlsTimeout = Key(
        "tls_timeout", timeout, default: .toml("\"5s\""), also: ["handshake_timeout"],
        "Bound on the TLS handshake.")
    static let firstByteTimeout = Key(
        "first_byte_timeout", timeout, default: .toml("\"10s\""),
        also: ["response_timeout", "response_header_timeout", "read_timeout"],
        "Bound on the wait for an answer's first byte.")
    static let stallTimeout = Key(
        "stall_timeout", timeout, default: .toml("\"30s\""), also: ["low_speed_time"],
        "Bound on a quiet stretch within a body; then the blob is resumed.")
    static let retries = Key(
        "retries", ValueKind.integer(0...10), default: .toml("3"),
        also: ["retry", "max_retries", "attempts"],
        "How often an interrupted blob is resumed.")
    static let offline = Key(
        "offline", .boolean, default: .toml("false"),
        also: ["blocked", "air_gapped", "airgapped", "no_network", "disconnected"],
        "Whether the upstream is never asked: what is stored is served, the rest does not exist.")
    private static var timeout: ValueKind<Duration> {
        .duration(from: .milliseconds(100), to: .seconds(600))
    }

    static let section = Section(
        name: "defaults.proxy", whereabouts: "in [defaults.proxy]",
        keys: [
            allowNetworks.description, caFile.description, tagTTL.description,
            missingTTL.description, stale.description, connectTimeout.description,
            tlsTimeout.description, firstByteTimeout.description, stallTimeout.description,
            retries.description, offline.description, allow.description, deny.description,
        ])
}
