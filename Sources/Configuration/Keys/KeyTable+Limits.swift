/// Keys of `[limits]`.
enum LimitsKeys {
    static let connections = Key(
        "connections", ValueKind.integer(1...1_000_000), default: .toml("4096"),
        also: ["max_connections", "maxconn", "worker_connections"],
        "Client connections at the same time.")
    static let connectionsPerAddress = Key(
        "connections_per_address", ValueKind.integer(1...1_000_000), default: .toml("256"),
        also: ["connections_per_ip", "max_connections_per_ip", "limit_conn"],
        "Client connections from one address (IPv6: one /64).")
    static let requestsPerConnection = Key(
        "requests_per_connection", ValueKind.integer(1...1_000_000_000), default: .toml("10000"),
        also: ["keepalive_requests", "max_requests"],
        "Requests on one connection before it is closed.")
    static let manifestSize = Key(
        "manifest_size", .size(to: 4 << 20), default: .toml("\"4MiB\""),
        also: ["max_manifest_size", "manifest_max"],
        "The largest manifest taken from an upstream: at most 4MiB, since it is held in memory.")
    static let blobSize = Key(
        "blob_size", .size, default: .toml("\"64GiB\""),
        also: ["max_blob_size", "layer_size", "client_max_body_size"],
        "The largest blob taken from an upstream.")
    static let headerTimeout = Key(
        "header_timeout", .duration(from: .seconds(1), to: .seconds(600)),
        default: .toml("\"10s\""),
        also: ["read_header_timeout", "client_header_timeout", "read_timeout"],
        "How long a client may take over the header of a request.")
    static let idleTimeout = Key(
        "idle_timeout", .duration(from: .seconds(1), to: .seconds(86400)),
        default: .toml("\"75s\""), also: ["keepalive_timeout", "keep_alive", "timeout"],
        "How long a connection may lie idle between requests.")
    static let writeTimeout = Key(
        "write_timeout", .duration(from: .seconds(1), to: .seconds(3600)),
        default: .toml("\"60s\""), also: ["send_timeout"],
        "How long a client may take nothing of an answer.")
    static let drainTimeout = Key(
        "drain_timeout", .duration(to: .seconds(3600)), default: .toml("\"30s\""),
        also: ["shutdown_timeout", "grace", "grace_period", "draintimeout"],
        "How long transfers may go on after SIGTERM.")

    static let section = Section(
        name: "limits", whereabouts: "in [limits]",
        keys: [
            connections.description, connectionsPerAddress.description,
            requestsPerConnection.description, manifestSize.description, blobSize.description,
            headerTimeout.description, idleTimeout.description, writeTimeout.description,
            drainTimeout.description,
        ])
}
