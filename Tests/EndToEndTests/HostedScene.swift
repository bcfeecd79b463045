import TestSupport
import Testing

/// A daemon with hosted repositories, and a client that may push to them.
///
/// The listener's own repository is a group that pushes to the hosted `releases`, in front of a
/// proxy of `upstream`. `owner` may all, `pusher` nothing of what lies below `secret/`.
final class HostedScene {
    /// Where the same is asked of: the hosted repository, and the group that pushes to it.
    static let bases = ["/v2/releases/", "/v2/"]
    static let user = "pusher"
    static let password = "push-secret"
    private static let hash = "$2y$04$abcdefghijklmnopqrstuuwph9OfiPxiT17JCasncaJkSdUmhny0i"
    /// As it stands in a password file.
    static var passwordLine: String { "\(user):\(hash)\n" }
    /// `pusher:push-secret`.
    static let login = ("Authorization", "Basic cHVzaGVyOnB1c2gtc2VjcmV0")
    /// `owner:push-secret`.
    static let ownersLogin = ("Authorization", "Basic " + base64("owner:\(password)"))

    let home: TemporaryDirectory
    private(set) var daemon: DaemonProcess
    private let configuration: DaemonConfiguration
    /// What stands before the image name: `/v2/releases/`.
    let base: String
    /// What the group's proxy is of.
    let upstream: LoopbackRegistry

    var address: String { daemon.address }

    /// `rules` are lines of `[repositories.releases]`; the listener's own repository is the group.
    init(_ rules: String = "delete = true", base: String = "/v2/releases/", cache: String = "")
        throws
    {
        home = try TemporaryDirectory()
        self.base = base
        upstream = try LoopbackRegistry()
        let passwords = try home.write(
            "htpasswd", "\(Self.passwordLine)owner:\(Self.hash)\n", mode: 0o600)
        configuration = DaemonConfiguration(
            [
                """
                [auth]
                htpasswd = "\(passwords)"
                [[auth.rule]]
                users = ["\(Self.user)"]
                repositories = ["*/secret/**"]
                allow = []
                [[auth.rule]]
                users = ["\(Self.user)", "owner"]
                repositories = ["*", "**"]
                allow = ["pull", "push", "delete"]
                """,
                "[repositories.releases]\ntype = \"hosted\"\n\(rules)",
                "[repositories.other]\ntype = \"hosted\"",
                """
                [repositories.all]
                type = "group"
                members = ["up.example.org", "releases"]
                push_to = "releases"
                """,
                """
                [repositories.outer]
                type = "group"
                members = ["all"]
                push_to = "releases"
                """,
                DaemonConfiguration.proxy("up.example.org", upstream),
            ], cache: cache, listeners: ["repository = \"all\""])
        daemon = try DaemonProcess(configuration, home: home)
    }

    /// Ends the daemon and starts another one on its store.
    func restart(killing: Bool) throws {
        if killing { daemon.kill() } else { daemon.stop() }

        daemon = try DaemonProcess(configuration, home: home)
    }

    func target(_ name: String, _ resource: String) -> String { "\(base)\(name)/\(resource)" }

    func request(
        _ method: String, _ target: String, body: [UInt8] = [], fields: [(String, String)] = [],
        chunk: Int? = nil, as login: (String, String)? = HostedScene.login
    ) throws -> WireResponse {
        try RawClient(address).request(
            target, method: method, fields: fields + [login].compactMap { $0 }, body: body,
            chunk: chunk)
    }

    func get(_ target: String, _ fields: [(String, String)] = []) throws -> WireResponse {
        try RawClient.request(address, target, fields: fields)
    }

    /// Expects that a blob can be pulled under `name`.
    func expectBlob(
        _ name: String, _ bytes: [UInt8], _ algorithm: MessageDigest.Algorithm = .sha256
    ) throws {
        let digest = MessageDigest.of(bytes, algorithm)
        let answer = try get(target(name, "blobs/\(digest)"))
        #expect(answer.status == 200, "\(answer)")
        #expect(answer.body == bytes)
        #expect(answer["Docker-Content-Digest"] == digest)
    }

    /// A token that was asked for these scopes.
    func token(_ scopes: [String]) throws -> (String, String) {
        let query = scopes.map { "&scope=\($0)" }.joined()
        let answer = try request("GET", "/v2/_token?service=Cistern\(query)")
        let text = answer.text.split(separator: "\"token\":\"").dropFirst().first
        guard answer.status == 200, let token = text?.prefix(while: { $0 != "\"" }) else {
            throw TestFailure("no token: \(answer)")
        }
        return ("Authorization", "Bearer \(token)")
    }

    // MARK: - Pushing

    /// Opens an upload; where it goes on.
    func open(_ name: String, query: String = "") throws -> String {
        let answer = try request("POST", target(name, "blobs/uploads/\(query)"))
        guard answer.status == 202, let location = answer["Location"] else {
            throw TestFailure("no upload: \(answer) \(answer.text)")
        }
        return location
    }

    /// POST, PATCH and PUT; the answer to the last.
    @discardableResult
    func push(_ name: String, blob: [UInt8], chunk: Int? = nil) throws -> WireResponse {
        let location = try open(name)
        let answer = try request("PATCH", location, body: blob, chunk: chunk)
        guard answer.status == 202, let next = answer["Location"] else { return answer }
        return try close(next, digest: MessageDigest.of(blob))
    }

    func close(_ location: String, digest: String, body: [UInt8] = []) throws -> WireResponse {
        let mark = location.contains("?") ? "&" : "?"
        return try request("PUT", "\(location)\(mark)digest=\(digest)", body: body)
    }

    /// PUT of a manifest under a tag or digest.
    @discardableResult
    func push(
        _ name: String, manifest: [UInt8], as reference: String,
        type: String = "application/vnd.oci.image.manifest.v1+json"
    ) throws -> WireResponse {
        try request(
            "PUT", target(name, "manifests/\(reference)"), body: manifest,
            fields: [("Content-Type", type)])
    }

    /// An image manifest of these blobs, the first of them its config.
    static func manifest(
        _ blobs: [[UInt8]], subject: [UInt8]? = nil, artifactType: String? = nil
    ) -> [UInt8] {
        func descriptor(_ bytes: [UInt8], _ type: String) -> String {
            "{\"mediaType\":\"\(type)\",\"digest\":\"\(MessageDigest.of(bytes))\","
                + "\"size\":\(bytes.count)}"
        }
        let config = descriptor(blobs[0], "application/vnd.oci.image.config.v1+json")
        let layers = blobs.dropFirst().map {
            descriptor($0, "application/vnd.oci.image.layer.v1.tar")
        }
        var text = "{\"schemaVersion\":2,"
        text += "\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
        if let artifactType { text += "\"artifactType\":\"\(artifactType)\"," }
        if let subject {
            text += "\"subject\":"
            text += descriptor(subject, "application/vnd.oci.image.manifest.v1+json") + ","
        }
        text += "\"config\":\(config),\"layers\":[\(layers.joined(separator: ","))]}"
        return Array(text.utf8)
    }

    /// Pushes an image of random blobs under a tag; its manifest.
    func pushImage(_ name: String, _ tag: String, seed: UInt64) throws -> [UInt8] {
        let blobs = [200, 3000, 70_000].enumerated().map { order, size in
            TestContent(seed: seed &* 100 &+ UInt64(order), size: Int64(size)).bytes
        }
        for blob in blobs {
            let answer = try push(name, blob: blob)
            guard answer.status == 201 else { throw TestFailure("not pushed: \(answer.text)") }
        }
        let manifest = Self.manifest(blobs)
        let answer = try push(name, manifest: manifest, as: tag)
        guard answer.status == 201 else { throw TestFailure("not pushed: \(answer.text)") }
        return manifest
    }
}
