import TestSupport

/// A daemon with hosted repositories, and a client that may push to them.
final class HostedScene {
    static let user = "pusher"
    static let password = "push-secret"
    private static let hash = "$2y$04$abcdefghijklmnopqrstuuwph9OfiPxiT17JCasncaJkSdUmhny0i"
    /// As it stands in a password file.
    static var passwordLine: String { "\(user):\(hash)\n" }
    /// `pusher:push-secret`.
    static let login = ("Authorization", "Basic cHVzaGVyOnB1c2gtc2VjcmV0")

    let home: TemporaryDirectory
    private(set) var daemon: DaemonProcess
    private let configuration: DaemonConfiguration
    /// What stands before the image name: `/v2/releases/`.
    let base: String

    var address: String { daemon.address }

    /// `rules` are lines of `[repositories.releases]`; the listener's own repository is the group.
    init(_ rules: String = "delete = true", base: String = "/v2/releases/", cache: String = "")
        throws
    {
        home = try TemporaryDirectory()
        self.base = base
        let passwords = try home.write("htpasswd", Self.passwordLine, mode: 0o600)
        configuration = DaemonConfiguration(
            [
                """
                [auth]
                htpasswd = "\(passwords)"
                [[auth.rule]]
                users = ["\(Self.user)"]
                repositories = ["*", "**"]
                allow = ["pull", "push", "delete"]
                """,
                "[repositories.releases]\ntype = \"hosted\"\n\(rules)",
                "[repositories.other]\ntype = \"hosted\"",
                """
                [repositories.all]
                type = "group"
                members = ["releases"]
                push_to = "releases"
                """,
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
        chunk: Int? = nil
    ) throws -> WireResponse {
        try RawClient(address).request(
            target, method: method, fields: fields + [Self.login], body: body, chunk: chunk)
    }

    func get(_ target: String, _ fields: [(String, String)] = []) throws -> WireResponse {
        try RawClient.request(address, target, fields: fields)
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
