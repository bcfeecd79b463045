import TestSupport

/// A daemon that takes pushes by HTTP and by HTTPS, for clients that somebody else wrote.
final class PushSite: Sendable {
    /// A way to the daemon.
    struct Way: Sendable {
        /// `127.0.0.1:PORT`.
        let address: String
        let isSecure: Bool
        /// Where the authority is, as clients of `containers/image` look for it.
        let certificates: String
        /// The authority's certificate.
        let authority: String

        /// What skopeo, podman and buildah need to be told.
        var options: [String] {
            isSecure ? ["--cert-dir=\(certificates)"] : ["--tls-verify=false"]
        }
    }

    let daemon: DaemonProcess
    let authority: TestAuthority
    let plain: Way
    let secure: Way
    private let home: TemporaryDirectory

    /// The name by which HTTPS is reached, besides the address.
    static let host = "registry.test"

    init() throws {
        home = try TemporaryDirectory()
        authority = try TestAuthority()
        let pair = try authority.issue([Self.host, "127.0.0.1"])
        let passwords = try home.write("htpasswd", HostedScene.passwordLine, mode: 0o600)
        daemon = try DaemonProcess(
            DaemonConfiguration(
                [
                    """
                    [tls.site]
                    certificate = "\(pair.certificate)"
                    key = "\(pair.key)"
                    [auth]
                    htpasswd = "\(passwords)"
                    [[auth.rule]]
                    users = ["\(HostedScene.user)"]
                    repositories = ["*", "**"]
                    allow = ["pull", "push", "delete"]
                    """,
                    "[repositories.releases]\ntype = \"hosted\"\ndelete = true",
                    """
                    [repositories.all]
                    type = "group"
                    members = ["releases"]
                    push_to = "releases"
                    """,
                ], listeners: ["", "tls = \"site\"\nhostnames = [\"*\"]"]))
        let certificates = try home.directory("certs")
        try Files.write("\(certificates)/ca.crt", Files.read(authority.certificate))
        let listeners = daemon.listeners
        plain = Way(
            address: listeners[0], isSecure: false, certificates: certificates,
            authority: authority.certificate)
        secure = Way(
            address: listeners[1], isSecure: true, certificates: certificates,
            authority: authority.certificate)
    }

    /// What a registry path with a tag points to now; empty if to nothing.
    func digest(_ name: String) throws -> String {
        let answer = try RawClient.request(
            plain.address, "/v2/\(name)/manifests/1", method: "HEAD", fields: [HostedScene.login])
        return answer["Docker-Content-Digest"] ?? ""
    }

    /// Deletes what a registry path with a tag points to.
    func delete(_ name: String) throws -> Int {
        try RawClient.request(
            plain.address, "/v2/\(name)/manifests/\(digest(name))", method: "DELETE",
            fields: [HostedScene.login]
        ).status
    }

    /// What was pushed so far.
    struct Pushed: Equatable {
        let uploads: Double
        let bytes: Double
        let mounts: Double
    }

    func pushed() throws -> Pushed {
        let label = "repository=\"releases\""
        return Pushed(
            uploads: try daemon.metricSum("cistern_uploads_started_total", label),
            bytes: try daemon.metricSum("cistern_push_received_bytes_total", label),
            mounts: try daemon.metricSum("cistern_push_mounts_total", label))
    }
}
