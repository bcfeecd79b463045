import Glibc
import TestSupport

/// A daemon with users, rules and robots over scripted upstreams.
final class LoginScene: Sendable {
    let upstream: LoopbackRegistry
    let image = ImageFixture(seed: 820)
    let files: TemporaryDirectory
    let daemon: DaemonProcess

    static let users = ["ann", "bob", "eve"]

    /// ann is an administrator, bob may pull all, eve nothing of docker.io; `private` is for ann.
    static let rules = """
        [[auth.rule]]
        users = ["@admins"]
        repositories = ["*"]
        allow = ["admin"]
        [[auth.rule]]
        users = ["eve"]
        repositories = ["docker.io", "all"]
        allow = []
        [[auth.rule]]
        users = ["*"]
        repositories = ["*/private/**"]
        allow = []
        [auth.groups]
        admins = ["ann"]
        """

    /// `tls` is whose certificate the listener has; without, it speaks plain HTTP.
    init(
        anonymous: String = "pull", rules: String = LoginScene.rules, tls: TestAuthority? = nil
    ) throws {
        upstream = try LoopbackRegistry(.plain)
        upstream.add(image, "library/a")
        upstream.add(image, "private/a")
        files = try TemporaryDirectory()
        for user in Self.users { try Self.add(user, "\(user)-s3cr3t", files) }
        var configuration = Self.configuration(
            upstream, files, anonymous: anonymous, rules: rules)
        if let pair = try tls?.issue(["127.0.0.1"]) {
            configuration.listeners = ["tls = \"site\""]
            configuration.tables.append(
                "[tls.site]\ncertificate = \"\(pair.certificate)\"\nkey = \"\(pair.key)\"")
        }
        daemon = try DaemonProcess(configuration)
    }

    private static func configuration(
        _ upstream: LoopbackRegistry, _ files: TemporaryDirectory, anonymous: String, rules: String
    ) -> DaemonConfiguration {
        DaemonConfiguration([
            DaemonConfiguration.proxy("docker.io", upstream),
            "[repositories.all]\ntype = \"group\"\nmembers = [\"docker.io\"]",
            """
            [auth]
            anonymous = "\(anonymous)"
            htpasswd = "\(files.file("htpasswd"))"
            tokens = "\(files.file("tokens"))"
            \(rules)
            """,
        ])
    }

    /// Other rules, by SIGHUP.
    func reload(anonymous: String, rules: String) throws {
        let text = Self.configuration(upstream, files, anonymous: anonymous, rules: rules)
            .text(store: daemon.storePath)
        try Files.write(daemon.configurationFile, Array(text.utf8))
        let before = daemon.log.split(separator: "msg=reloaded").count
        daemon.child.signal(SIGHUP)
        guard poll({ daemon.log.split(separator: "msg=reloaded").count > before }) else {
            throw TestFailure("not reloaded: \(daemon.log)")
        }
    }

    var address: String { daemon.address }

    /// `cistern` with these arguments, and an input.
    static func cistern(_ arguments: [String], input: String = "") throws -> Command.Output {
        let binary = try DaemonProcess.binary()
        let quoted = ([binary] + arguments).map { "'\($0)'" }.joined(separator: " ")
        return try Command.run("sh", ["-c", "printf '%s' '\(input)' | \(quoted)"])
    }

    static func add(_ name: String, _ password: String, _ files: TemporaryDirectory) throws {
        let output = try cistern(
            ["user", "add", name, "--password-stdin", "--file", files.file("htpasswd")],
            input: password + "\n")
        guard output.code == 0 else { throw TestFailure("\(output)") }
    }

    /// A robot's token that may do this.
    func robot(_ allow: String, _ more: [String] = []) throws -> String {
        let output = try Self.cistern(
            ["token", "create", "--allow", allow, "--file", files.file("tokens")] + more)
        guard output.code == 0 else { throw TestFailure("\(output)") }
        return String(output.stdout.split(separator: "\n").first ?? "")
    }

    static func basic(_ name: String, _ password: String) -> [(String, String)] {
        [("Authorization", "Basic " + base64("\(name):\(password)"))]
    }

    /// A user's login by the right password.
    static func login(_ name: String) -> [(String, String)] { basic(name, "\(name)-s3cr3t") }

    static func bearer(_ token: String) -> [(String, String)] {
        [("Authorization", "Bearer \(token)")]
    }

    /// A token of the Bearer flow.
    func token(
        _ login: [(String, String)], _ scopes: [String] = []
    ) throws -> (status: Int, token: String) {
        let query = scopes.map { "&scope=\($0)" }.joined()
        let answer = try RawClient.request(
            address, "/v2/_token?service=Cistern\(query)", fields: login)
        let token = answer.text.split(separator: "\"token\":\"").dropFirst().first
        return (answer.status, String(token?.prefix { $0 != "\"" } ?? ""))
    }

    func status(
        _ target: String, _ login: [(String, String)] = [], method: String = "GET"
    ) throws -> Int {
        try RawClient.request(address, target, method: method, fields: login).status
    }

    var manifest: String { "/v2/docker.io/library/a/manifests/latest" }
    var blob: String { "/v2/docker.io/library/a/blobs/\(image.blobs[0].digest)" }
}
