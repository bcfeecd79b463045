import Linux
package import Upstream

/// How registries are reached: logins, authorities, token endpoints.
package struct RegistryAccess: Sendable {
    /// What one side's registry is asked with.
    package var logins: [Side: String] = [:]
    /// A file of logins as docker and podman write it, in place of the usual ones.
    package var authFile: String?
    /// PEM file with authorities trusted besides the system's.
    package var caFile: String?
    /// Token endpoints on other hosts that may see a login (CRED-1).
    package var realms: [RemoteURL] = []
    package var userAgent: String
    /// Images copied at a time.
    package var jobs = 4

    package init(userAgent: String) {
        self.userAgent = userAgent
    }

    /// What the command itself runs in: registries there may redirect to storage beside them.
    private static let privateNetworks = [
        "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7",
    ]
    private static let loopbackNetworks = ["127.0.0.0/8", "::1/128"]

    func settings(
        for address: RegistryAddress, _ side: Side
    ) throws(CopyFailure) -> UpstreamSettings {
        guard let base = RemoteURL(parsing: address.base) else {
            throw CopyFailure(
                side, "", .local("\(address) is no address", fix: "host:port, or a URL"))
        }
        let networks =
            Self.privateNetworks + (base.isOnThisMachine ? Self.loopbackNetworks : [])
        var settings = UpstreamSettings(
            registry: address.host, base: base,
            credentials: try Logins.find(
                for: address, file: logins[side], authFile: authFile),
            realms: realms, allowNetworks: networks.compactMap { Network(parsing: $0) },
            caFile: caFile, userAgent: userAgent)
        settings.access = side == .destination ? .push : .pull
        settings.timeouts.connect = .seconds(10)
        settings.timeouts.tls = .seconds(10)
        settings.timeouts.firstByte = .seconds(60)
        settings.timeouts.headers = .seconds(90)
        settings.timeouts.queue = .seconds(3600)
        // Images, and the blobs and questions of each.
        settings.limits.transfersMax = 4 * jobs + 8
        settings.limits.queueMax = 4096
        return settings
    }
}
