import TestSupport

/// An old registry, Debian's `docker-registry`, filled with images, and a Cistern to move them to.
final class MoveScene {
    let old: DockerRegistryProcess
    let new: HostedScene
    let files: TemporaryDirectory
    /// Every tag there is, by its image's name.
    private(set) var tags: [String: [String]] = [:]

    init(images: Int) throws {
        old = try DockerRegistryProcess()
        new = try HostedScene()
        files = try TemporaryDirectory()
        try files.write("login", "\(HostedScene.user):\(HostedScene.password)\n", mode: 0o600)
        let filler = try RegistryFiller(old.address)
        for number in 0..<images {
            let name = "team\(number % 3)/app\(number % 7)"
            tags[name, default: []] += try filler.push(name, number)
        }
    }

    var tagCount: Int { tags.values.reduce(0) { $0 + $1.count } }

    var state: String { files.file("state") }

    /// What moves everything, as its arguments.
    var arguments: [String] {
        [
            "migrate", "registry", "http://\(old.address)",
            "--to", "http://\(new.address)/releases", "--dest-login", files.file("login"),
            "--state", state,
        ]
    }

    /// Runs `cistern` to its end.
    func run(_ arguments: [String]) throws -> Command.Output {
        try Command.run(
            try DaemonProcess.binary(), arguments, environment: ["HOME": files.path])
    }

    /// What is not the same in the new registry as in the old one, whole images with all they need;
    /// of the tags that are wanted.
    func differences(of isWanted: (String) -> Bool = { _ in true }) throws -> [String] {
        var found: [String] = []
        let (here, there) = (try RawClient(old.address), try RawClient(new.address))
        for (name, tags) in tags {
            let tags = tags.filter(isWanted)
            for tag in tags {
                try compare(here, there, name, tag, &found)
            }
            let list = try there.request("/v2/releases/\(name)/tags/list").text
            for tag in tags where !list.contains("\"\(tag)\"") {
                found.append("\(name):\(tag) is not listed")
            }
        }
        return found
    }

    private func compare(
        _ here: RawClient, _ there: RawClient, _ name: String, _ reference: String,
        _ found: inout [String]
    ) throws {
        let accept = [("Accept", RegistryFiller.accepted)]
        let old = try here.request("/v2/\(name)/manifests/\(reference)", fields: accept)
        let new = try there.request("/v2/releases/\(name)/manifests/\(reference)", fields: accept)
        for field in ["Docker-Content-Digest", "Content-Type"] where old[field] != new[field] {
            found.append("\(name) \(reference): \(field)")
        }
        if old.body != new.body || new.status != 200 {
            found.append("\(name) \(reference): \(new.status)")
        }
        for digest in RegistryFiller.digests(in: old.text) {
            let isManifest = old.text.contains("\"manifests\"")
            if isManifest {
                try compare(here, there, name, digest, &found)
                continue
            }
            let target = "/v2/releases/\(name)/blobs/\(digest)"
            let answer = try there.request(target)
            if answer.status != 200 || MessageDigest.of(answer.body) != digest {
                found.append("\(name): blob \(digest): \(answer.status)")
            }
        }
    }
}

/// Pushes small images to a registry that asks nobody who he is.
struct RegistryFiller {
    static let manifestType = "application/vnd.oci.image.manifest.v1+json"
    static let indexType = "application/vnd.oci.image.index.v1+json"
    static let accepted = "\(indexType), \(manifestType)"

    private let client: RawClient

    init(_ address: String) throws {
        client = try RawClient(address)
    }

    /// Every sixth image is for two platforms, every sixth has a signature; all share a base layer
    /// with others.
    ///
    /// - Returns: the tags that were made.
    func push(_ name: String, _ number: Int) throws -> [String] {
        let tag = "v\(number)"
        switch number % 6 {
        case 0:
            let images = try (0..<2).map { try image(name, nil, 1000 + 2 * number + $0) }
            let entries = images.map { Self.descriptor($0, Self.manifestType) }
            try manifest(name, tag, Self.index(entries), Self.indexType)
            return [tag]
        case 1:
            let image = try image(name, tag, number)
            let signature = HostedScene.manifest(
                [Array("{}".utf8), Array("signed \(number)".utf8)], subject: image,
                artifactType: "application/x.signature")
            try blob(name, Array("{}".utf8))
            try blob(name, Array("signed \(number)".utf8))
            try manifest(name, MessageDigest.of(signature), signature, Self.manifestType)
            // As clients do where there is no referrers API.
            let list = String(
                MessageDigest.of(image).map { $0 == ":" ? "-" : $0 })
            try manifest(
                name, list, Self.index([Self.descriptor(signature, Self.manifestType)]),
                Self.indexType)
            return [tag, list]
        default:
            _ = try image(name, tag, number)
            return [tag]
        }
    }

    /// What a manifest names, without its subject.
    static func digests(in manifest: String) -> [String] {
        let own = manifest.split(separator: "\"subject\":").count > 1
        let parts = manifest.split(separator: "\"digest\":\"").dropFirst(own ? 2 : 1)
        return parts.map { String($0.prefix { $0 != "\"" }) }
    }

    /// An image's layer of its own.
    static func layer(_ number: Int) -> [UInt8] {
        TestContent(seed: 8600 + UInt64(number), size: 30_000).bytes
    }

    private func image(_ name: String, _ tag: String?, _ number: Int) throws -> [UInt8] {
        let blobs = [
            Array("{\"architecture\":\"amd64\",\"os\":\"linux\",\"number\":\(number)}".utf8),
            TestContent(seed: 860 + UInt64(number % 3), size: 1_500_000).bytes,
            Self.layer(number),
        ]
        for bytes in blobs { try blob(name, bytes) }
        let bytes = HostedScene.manifest(blobs)
        try manifest(name, tag ?? MessageDigest.of(bytes), bytes, Self.manifestType)
        return bytes
    }

    private static func descriptor(_ bytes: [UInt8], _ type: String) -> String {
        "{\"mediaType\":\"\(type)\",\"digest\":\"\(MessageDigest.of(bytes))\","
            + "\"size\":\(bytes.count)}"
    }

    private static func index(_ entries: [String]) -> [UInt8] {
        Array(
            ("{\"schemaVersion\":2,\"mediaType\":\"\(indexType)\",\"manifests\":["
                + entries.joined(separator: ",") + "]}").utf8)
    }

    func blob(_ name: String, _ bytes: [UInt8]) throws {
        let digest = MessageDigest.of(bytes)
        let there = try client.request("/v2/\(name)/blobs/\(digest)", method: "HEAD")
        if there.status == 200 { return }
        let opened = try client.request(
            "/v2/\(name)/blobs/uploads/", method: "POST", body: [])
        guard let location = opened["Location"], let path = Self.path(location) else {
            throw TestFailure("no upload: \(opened)")
        }
        let answer = try client.request(
            "\(path)&digest=\(digest)", method: "PUT", body: bytes)
        guard answer.status == 201 else { throw TestFailure("not pushed: \(answer)") }
    }

    private func manifest(
        _ name: String, _ reference: String, _ bytes: [UInt8], _ type: String
    ) throws {
        let answer = try client.request(
            "/v2/\(name)/manifests/\(reference)", method: "PUT",
            fields: [("Content-Type", type)], body: bytes)
        guard answer.status == 201 else { throw TestFailure("not pushed: \(answer.text)") }
    }

    /// The path of a URL.
    private static func path(_ url: String) -> String? {
        guard url.hasPrefix("http://") else { return url }
        return url.dropFirst(7).firstIndex(of: "/").map { String(url[$0...]) }
    }
}
