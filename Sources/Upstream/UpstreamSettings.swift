package import Linux

/// Everything configurable about one upstream; a value, fixed for the life of its client.
package struct UpstreamSettings: Sendable {
    /// User name and password as opaque bytes (CRED-5).
    package struct Credentials: Sendable {
        package var username: [UInt8]
        package var password: [UInt8]

        package init(username: [UInt8], password: [UInt8]) {
            self.username = username
            self.password = password
        }
    }

    /// What tokens are asked for.
    package enum Access: Sendable {
        case pull
        /// For those who push: to the image a request is about, and reading from any other.
        case push
    }

    /// The name people write, such as `docker.io`; used in texts only.
    package var registry: String
    /// Where the registry is; a path is put in front of `/v2/`.
    package var base: RemoteURL
    /// `alpine` means `library/alpine` here: Docker Hub only.
    package var implicitLibrary: Bool
    package var credentials: Credentials?
    /// Token endpoints besides those of the upstream's own origin (CRED-1).
    package var realms: [RemoteURL]
    /// Networks that redirects, realms and CDNs may be on besides public ones (SSRF-3).
    package var allowNetworks: [Network]
    /// PEM file with certification authorities trusted in addition to the system's.
    package var caFile: String?
    /// Certificates are not checked: for this upstream only (TLS-1).
    package var insecure: Bool
    package var userAgent: String
    package var access = Access.pull
    package var timeouts: Timeouts
    package var limits: Limits

    package init(
        registry: String, base: RemoteURL, implicitLibrary: Bool = false,
        credentials: Credentials? = nil, realms: [RemoteURL] = [],
        allowNetworks: [Network] = [], caFile: String? = nil, insecure: Bool = false,
        userAgent: String = "cistern", timeouts: Timeouts = Timeouts(), limits: Limits = Limits()
    ) {
        self.registry = registry
        self.base = base
        self.implicitLibrary = implicitLibrary
        self.credentials = credentials
        self.realms = realms + Self.builtInRealms(for: base)
        self.allowNetworks = allowNetworks
        self.caFile = caFile
        self.insecure = insecure
        self.userAgent = userAgent
        self.timeouts = timeouts
        self.limits = limits
    }
}

extension UpstreamSettings {
    /// Bounds on time, per phase and over all (UP-2).
    package struct Timeouts: Sendable {
        package var connect: Duration = .seconds(3)
        package var tls: Duration = .seconds(5)
        package var firstByte: Duration = .seconds(10)
        /// From `send` to the final headers; two seconds below the 15 s that clients
        /// are promised, so that a busy machine keeps that, too.
        package var headers: Duration = .seconds(13)
        /// The window over which a body must keep up `stallBytesPerSecond`.
        package var stall: Duration = .seconds(30)
        package var stallBytesPerSecond: Int64 = 1024
        /// The longest wait for a transfer slot.
        package var queue: Duration = .seconds(5)

        package init() {}
    }

    /// Bounds on everything counted (RES-4, requirements part 7).
    package struct Limits: Sendable {
        package var transfersMax = 32
        package var queueMax = 256
        package var redirectsMax = 5
        package var headerBytesMax = 64 << 10
        package var headerFieldsMax = 200
        package var interimResponsesMax = 16
        package var tokenBytesMax = 64 << 10
        package var tokensMax = 1024

        package init() {}
    }

    /// Token endpoints known to belong to a registry on another origin (CRED-1).
    ///
    /// Bound to Docker's own hosts, so that a mirror of Docker Hub with credentials of its own
    /// cannot have them sent to Docker. (quay.io's realm is on quay.io itself.)
    private static func builtInRealms(for base: RemoteURL) -> [RemoteURL] {
        let hosts = ["registry-1.docker.io", "index.docker.io", "docker.io"]
        guard base.scheme == .https, hosts.contains(base.host),
            let realm = RemoteURL(parsing: "https://auth.docker.io/token")
        else { return [] }
        return [realm]
    }
}
