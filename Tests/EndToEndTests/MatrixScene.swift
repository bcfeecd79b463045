import TestSupport

/// A daemon with every kind of repository and every role that there is, for the matrix of who may
/// what (AUTH-4).
final class MatrixScene {
    /// A role: how it logs in, and what the rules, and its token's scopes, let it do.
    struct Role {
        let name: String
        let login: [(String, String)]
        /// Actions that the rules allow, by `repository/first component of the name`.
        var may: [String: Set<String>] = [:]
        /// The only one that its token was asked for, likewise; nil where no token narrows it.
        var scope: (place: String, action: String)?
        /// Whether the login counts for anything.
        var isKnown = true
        var isTokenOfOurs = false
    }

    /// How a repository takes what changes it.
    struct Kind {
        let repository: String
        /// Where the rights to push and to delete are; nil where nothing is taken.
        let target: String?
    }

    static let kinds = [
        Kind(repository: "releases", target: "releases"),
        Kind(repository: "docker.io", target: nil),
        Kind(repository: "mirror", target: nil),
        Kind(repository: "all", target: "releases"),
    ]
    static let names = ["team/a", "secret/a"]
    private static let users = [
        "puller", "pusher", "deleter", "admin", "stranger", "limited", "gone",
    ]
    private static let password = "push-secret"
    private static let hash = "$2y$04$abcdefghijklmnopqrstuuwph9OfiPxiT17JCasncaJkSdUmhny0i"

    let files: TemporaryDirectory
    let upstream: LoopbackRegistry
    let daemon: DaemonProcess
    let image = ImageFixture(seed: 821, layerSizes: [1000], architectures: ["amd64"])
    let anonymousMayPull: Bool
    private(set) var roles: [Role] = []

    var manifest: ImageFixture.Document { image.platforms[0].manifest }

    init(anonymousMayPull: Bool) throws {
        self.anonymousMayPull = anonymousMayPull
        files = try TemporaryDirectory()
        upstream = try LoopbackRegistry()
        for name in Self.names {
            upstream.add(image, name)
            upstream.tag(name, "v1", image.platforms[0].manifest.digest)
        }
        let lines = Self.users.map { "\($0):\(Self.hash)\n" }.joined()
        _ = try files.write("htpasswd", lines, mode: 0o600)
        func rule(_ user: String, _ repositories: String, _ allow: [String]) -> String {
            let words = allow.map { "\"\($0)\"" }.joined(separator: ", ")
            return "[[auth.rule]]\nusers = [\"\(user)\"]\nrepositories = [\(repositories)]\n"
                + "allow = [\(words)]\n"
        }
        daemon = try DaemonProcess(
            DaemonConfiguration([
                DaemonConfiguration.proxy("docker.io", upstream),
                "[repositories.releases]\ntype = \"hosted\"\ndelete = true",
                "[repositories.mirror]\ntype = \"group\"\nmembers = [\"docker.io\"]",
                """
                [repositories.all]
                type = "group"
                members = ["releases", "docker.io"]
                push_to = "releases"
                """,
                """
                [auth]
                anonymous = "\(anonymousMayPull ? "pull" : "none")"
                htpasswd = "\(files.file("htpasswd"))"
                tokens = "\(files.file("tokens"))"
                """,
                rule("admin", "\"*\"", ["admin"]),
                rule("*", "\"*/secret/**\"", []),
                rule("puller", "\"*\"", ["pull"]),
                rule("pusher", "\"*\"", ["pull", "push"]),
                rule("deleter", "\"*\"", ["pull", "delete"]),
                rule("stranger", "\"*\"", []),
                rule("limited", "\"releases/team/**\"", ["pull", "push"]),
                rule("gone", "\"*\"", ["admin"]),
            ]))
        for name in Self.names { try push(name) }
        try makeRoles()
    }

    private static func basic(_ user: String) -> [(String, String)] {
        LoginScene.basic(user, password)
    }

    private func push(_ name: String) throws {
        for blob in image.platforms[0].blobs {
            let answer = try RawClient(daemon.address).request(
                "/v2/releases/\(name)/blobs/uploads/?digest=\(blob.digest)", method: "POST",
                fields: Self.basic("admin"), body: blob.bytes)
            guard answer.status == 201 else { throw TestFailure("\(answer)") }
        }
        let answer = try RawClient(daemon.address).request(
            "/v2/releases/\(name)/manifests/v1", method: "PUT",
            fields: Self.basic("admin") + [("Content-Type", manifest.mediaType)],
            body: manifest.content.bytes)
        guard answer.status == 201 else { throw TestFailure("\(answer)") }
    }

    /// What the rules above mean, written down once more by hand.
    private func makeRoles() throws {
        func everywhere(_ actions: Set<String>) -> [String: Set<String>] {
            ["releases/team": actions, "all/team": actions, "docker.io/team": actions]
                .merging(["mirror/team": actions]) { old, _ in old }
        }
        var all = everywhere(["pull", "push", "delete"])
        for (place, actions) in all {
            all[place.split(separator: "/")[0] + "/secret"] = actions
        }
        let anybody = everywhere(anonymousMayPull ? ["pull"] : [])
        let gone = try token("gone", ["releases", "all", "docker.io", "mirror"])
        _ = try LoginScene.cistern(["user", "rm", "gone", "--file", files.file("htpasswd")])
        let puller = try robot("pull:all/team/**")
        let pusher = try robot("pull,push,delete:releases/team/**")
        let team: Set = ["pull", "push"]
        roles = [
            Role(name: "nobody", login: [], may: anybody),
            Role(name: "nobody with a token", login: try anonymousToken(), may: anybody),
            Role(name: "wrong password", login: LoginScene.basic("admin", "x"), isKnown: false),
            Role(name: "no such user", login: Self.basic("eve"), isKnown: false),
            Role(name: "no token", login: LoginScene.bearer("abc"), isKnown: false),
            Role(name: "removed user", login: Self.basic("gone"), isKnown: false),
            Role(name: "removed user's token", login: gone, isKnown: false),
            Role(name: "puller", login: Self.basic("puller"), may: everywhere(["pull"])),
            Role(name: "pusher", login: Self.basic("pusher"), may: everywhere(team)),
            Role(
                name: "deleter", login: Self.basic("deleter"), may: everywhere(["pull", "delete"])),
            Role(name: "administrator", login: Self.basic("admin"), may: all),
            Role(name: "stranger", login: Self.basic("stranger")),
            Role(
                name: "pusher to one repository", login: Self.basic("limited"),
                may: everywhere(["pull"]).merging(["releases/team": team]) { $1 }),
            Role(
                name: "robot that pulls", login: LoginScene.basic("x", puller),
                may: ["all/team": ["pull"]]),
            Role(
                name: "robot that pushes", login: LoginScene.bearer(pusher),
                may: ["releases/team": ["pull", "push", "delete"]]),
            Role(
                name: "pusher by a token",
                login: try token("pusher", ["releases", "all", "docker.io", "mirror"]),
                may: everywhere(team), isTokenOfOurs: true),
            Role(
                name: "pusher by a narrow token", login: try token("pusher", ["releases"], "pull"),
                may: everywhere(team), scope: ("releases/team", "pull"), isTokenOfOurs: true),
        ]
        // Tokens of nobody are tokens, too; where nobody may anything there are none.
        if anonymousMayPull { roles[1].isTokenOfOurs = true } else { roles.remove(at: 1) }
    }

    private func anonymousToken() throws -> [(String, String)] {
        let answer = try RawClient.request(daemon.address, "/v2/_token?service=Cistern")
        return LoginScene.bearer(answer.status == 200 ? Self.token(in: answer) : "none")
    }

    private func token(
        _ user: String, _ repositories: [String], _ actions: String = "pull,push,delete"
    ) throws -> [(String, String)] {
        let query = repositories.flatMap { repository in
            Self.names.map { "&scope=repository:\(repository)/\($0):\(actions)" }
        }.joined()
        let answer = try RawClient.request(
            daemon.address, "/v2/_token?service=Cistern\(query)", fields: Self.basic(user))
        guard answer.status == 200 else { throw TestFailure("\(answer)") }
        return LoginScene.bearer(Self.token(in: answer))
    }

    private static func token(in answer: WireResponse) -> String {
        let text = answer.text.split(separator: "\"token\":\"").dropFirst().first
        return String(text?.prefix { $0 != "\"" } ?? "")
    }

    private func robot(_ allow: String) throws -> String {
        let output = try LoginScene.cistern(
            ["token", "create", "--allow", allow, "--file", files.file("tokens")])
        guard output.code == 0 else { throw TestFailure("\(output)") }
        return String(output.stdout.split(separator: "\n").first ?? "")
    }
}
