/// Keys before the first table.
enum TopKeys {
    static let version = Key(
        "version", ValueKind.integer(1...1), default: .toml("1"), "Layout of this file.")

    static let section = Section(
        name: "", whereabouts: "at the top level", keys: [version.description])
}

/// Keys of `[cache]`.
enum CacheKeys {
    static let path = Key(
        "path", .absolutePath,
        default: .computed(
            "$STATE_DIRECTORY; else /var/lib/cistern for root, else $XDG_DATA_HOME/cistern"),
        also: ["dir", "directory", "root", "rootdirectory", "root_directory", "location"],
        "Directory of the store; one instance of Cistern at a time.")
    static let maxSize = Key(
        "max_size", .sizeOrPercent, default: .toml("\"80%\""),
        also: ["size", "maxsize", "limit", "quota", "capacity", "max_bytes", "disk_limit"],
        "What the store may take of the disk; images used least recently go first.")
    static let minFree = Key(
        "min_free", .sizeOrPercent, default: .toml("\"5GiB\""),
        also: ["reserve", "reserved", "free", "keep_free"],
        "What the file system keeps free, whatever max_size says.")

    static let verify = Key(
        "verify", .duration(from: .seconds(1)), default: .toml("\"30d\""),
        also: ["scrub", "verify_interval", "scrub_interval", "fsck"],
        "How often every stored file is read and hashed again; \"forever\" for never.")
    static let verifyRate = Key(
        "verify_rate", .size, default: .toml("\"20MiB\""),
        also: ["scrub_rate", "verify_speed", "rate"],
        "How much of that is read per second.")

    static let collect = Key(
        "collect", .duration(from: .seconds(1)), default: .toml("\"10m\""),
        also: ["gc", "gc_interval", "collect_interval", "garbage_collect", "cleanup"],
        "How often it is looked for what hosted repositories need no more.")
    static let lease = Key(
        "lease", .duration(from: .seconds(5)), default: .toml("\"24h\""),
        also: ["gc_delay", "grace", "grace_period", "upload_timeout", "upload_ttl"],
        "How long a pushed blob waits for its manifest, and an upload for its client.")

    static let section = Section(
        name: "cache", whereabouts: "in [cache]",
        keys: [
            path.description, maxSize.description, minFree.description, verify.description,
            verifyRate.description, collect.description, lease.description,
        ])
}

/// Keys of `[[listener]]`.
enum ListenerKeys {
    static let address = Key(
        "address", .listenAddress, default: .toml("\"127.0.0.1:5000\""),
        also: ["addr", "listen", "bind", "host", "port", "http_port", "socket"],
        "Numeric address and port, or systemd:NAME for a socket that systemd passes on.")
    static let route = Key(
        "route", ValueKind.list(ValueKind<ListenerConfiguration.Route>.choice, of: "routes"),
        default: .toml("[\"ns\", \"path\", \"root\"]"), also: ["routes", "routing"],
        "How a request finds its repository; the first way that fits wins.")
    static let repository = Key(
        "repository", .word("a repository's name"),
        default: .computed("the proxy of docker.io, if there is one"),
        also: ["repo", "default", "root", "default_repository"],
        "The repository that the route root means.")
    static let hostnames = Key(
        "hostnames", ValueKind.list(ValueKind<String>.hostname, of: "host names"),
        default: .computed("on loopback localhost, 127.0.0.1 and [::1]; else any"),
        also: ["hosts", "hostname", "server_name", "server_names", "allowed_hosts"],
        "The only names that requests may carry in Host; \"*\" for any.")
    static let tls = Key(
        "tls", ValueKind.oneOrMore("a name of [tls.NAME], or a list of them"),
        default: .computed("plain HTTP"),
        also: ["certificate", "cert", "ssl", "https", "certificates"],
        "The certificate that it shows; of several the one that the client asks for.")

    static let section = Section(
        name: "[listener]", whereabouts: "in [[listener]]",
        keys: [
            address.description, route.description, repository.description, hostnames.description,
            tls.description,
        ])
}

/// Keys of `[admin]`.
enum AdminKeys {
    static let address = Key(
        "address", .listenAddress, default: .toml("\"127.0.0.1:5001\""),
        also: ["addr", "listen", "bind", "host", "port"],
        "Where /healthz, /readyz and /metrics are served.")

    static let socket = Key(
        "socket", .absolutePath,
        default: .computed("admin.sock in $RUNTIME_DIRECTORY (systemd), else in the store"),
        also: ["control", "unix", "sock", "control_socket"],
        "The unix socket by which cistern verify and pin reach the daemon.")

    static let section = Section(
        name: "admin", whereabouts: "in [admin]",
        keys: [address.description, socket.description])
}

/// Keys of `[threads]`.
enum ThreadsKeys {
    static let loops = Key(
        "loops", ValueKind.integer(1...64), default: .toml("1"),
        also: ["loop", "event_loops", "io_threads", "reactors"],
        "Event loops; one serves several GB/s of plain hits.")
    static let workers = Key(
        "workers", ValueKind.integer(1...256),
        default: .computed("the number of cores, at least 2 and at most 4"),
        also: ["worker", "threads", "pool", "worker_threads"],
        "Threads that hash, write and read what is not in memory.")

    static let section = Section(
        name: "threads", whereabouts: "in [threads]",
        keys: [loops.description, workers.description])
}

/// Keys of `[log]`.
enum LogKeys {
    static let level = Key(
        "level", ValueKind<LogConfiguration.Level>.choice, default: .toml("\"info\""),
        also: ["loglevel", "verbosity", "severity"],
        "error, warn, info or debug.")
    static let format = Key(
        "format", ValueKind<LogConfiguration.Format>.choice, default: .toml("\"auto\""),
        also: ["formatter", "encoding", "output"],
        "auto (colour on a terminal, logfmt elsewhere), logfmt or json.")
    static let access = Key(
        "access", .onOrOff, default: .toml("\"on\""), also: ["accesslog", "access_log"],
        "One line per request: on or off.")

    static let section = Section(
        name: "log", whereabouts: "in [log]",
        keys: [level.description, format.description, access.description])
}
