import Glibc
import TestSupport
import Testing

/// Who may read what: knowing a digest, or naming it in a manifest, is no right to it
/// (AUTH-1, AUTH-2).
@Suite("E31 access", .realParts)
struct E31_AccessTests {
    private let image = ImageFixture(seed: 310)

    /// A manifest of one's own that names these blobs.
    private func manifest(naming blobs: [TestContent], _ note: String) -> ImageFixture.Document {
        let types = ["config", "layer"].map { "application/vnd.oci.image.\($0).v1" }
        let descriptors = blobs.enumerated().map { number, blob in
            let type = number == 0 ? types[0] + "+json" : types[1] + ".tar"
            return #"{"mediaType":"\#(type)","digest":"\#(blob.digest)","size":\#(blob.size)}"#
        }
        let type = "application/vnd.oci.image.manifest.v1+json"
        let json =
            #"{"schemaVersion":2,"mediaType":"\#(type)","config":\#(descriptors[0]),"#
            + #""layers":[\#(descriptors.dropFirst().joined(separator: ","))],"#
            + #""annotations":{"note":"\#(note)"}}"#
        return ImageFixture.Document(mediaType: type, content: TestContent(json))
    }

    private func index(naming document: ImageFixture.Document) -> ImageFixture.Document {
        let type = "application/vnd.oci.image.index.v1+json"
        let entry =
            #"{"mediaType":"\#(document.mediaType)","digest":"\#(document.digest)","#
            + #""size":\#(document.content.size)}"#
        let json = #"{"schemaVersion":2,"mediaType":"\#(type)","manifests":[\#(entry)]}"#
        return ImageFixture.Document(mediaType: type, content: TestContent(json))
    }

    // CVE-2024-39897: A4 names somebody else's layer in an image of his own.
    @Test func namingADigestInAManifestIsNoRightToIt() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "corp/private")
        let secret = image.platforms[0]
        upstream.add(manifest(naming: secret.blobs, "mine"), "evil/x", tags: ["1"])
        upstream.add(index(naming: secret.manifest), "evil/y", tags: ["1"])
        for (part, method) in [("evil/x/blobs/", "HEAD"), ("evil/x/blobs/", "GET")] {
            upstream.inject(.status(404), on: part, method: method)
        }
        upstream.inject(
            .status(404), on: "evil/y/manifests/\(secret.manifest.digest)", method: nil)
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        #expect(try Puller(daemon, "/v2/docker.io/corp/private").pull(image) == [])
        for name in ["evil/x", "evil/y"] {
            let evil = Puller(daemon, "/v2/docker.io/\(name)")
            #expect(try RawClient.request(daemon.address, evil.manifest("1")).status == 200)
            upstream.await(1, "\(name)/", method: "HEAD")
            for target in secret.blobs.map({ evil.blob($0) })
                + [evil.manifest(secret.manifest.digest)]
            {
                for method in ["HEAD", "GET"] where name == "evil/x" || target.contains("manif") {
                    let answer = try RawClient.request(daemon.address, target, method: method)
                    #expect(answer.status == 404, "\(method) \(target)")
                }
            }
        }
        #expect(try Puller(daemon, "/v2/docker.io/corp/private").pull(image) == [])
    }

    // Promise 3: a node that has the base layer does not ask for it; the next node will.
    @Test func aSharedLayerIsVouchedForBeforeItIsMissed() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/base")
        let layers = image.platforms[0].blobs
        let derived = manifest(naming: layers, "derived")
        let list = index(naming: derived)
        upstream.add(derived, "library/app")
        upstream.add(list, "library/app", tags: ["1"])
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        #expect(try Puller(daemon, "/v2/docker.io/library/base").pull(image) == [])
        upstream.forgetRequests()
        let app = Puller(daemon, "/v2/docker.io/library/app")
        for reference in ["1", derived.digest] {
            #expect(try RawClient.request(daemon.address, app.manifest(reference)).status == 200)
        }
        for layer in layers {
            #expect(upstream.await(1, "library/app/blobs/\(layer.digest)", method: "HEAD"))
        }
        #expect(upstream.count("/blobs/", method: "GET") == 0)
        // The answers have still to be written down.
        let isWhole = try poll {
            upstream.inject(.status(500), on: "/v2/", method: nil)
            defer { upstream.heal() }
            return try layers.allSatisfy { try app.get($0).isRight }
        }
        #expect(isWhole)
        upstream.stop()
        for layer in layers { #expect(try app.get(layer).isRight) }
    }

    // AUTH-1: "with the current credential"; a new password of the same user is the same user.
    @Test func anotherUpstreamOrLoginStartsWithNothing() throws {
        let home = try TemporaryDirectory()
        let (old, new) = (try LoopbackRegistry(.basic), try LoopbackRegistry(.basic))
        old.add(image, "corp/a")
        for registry in [old, new] { registry.state.with { $0.credentials = ("ann", "one") } }
        func start(
            _ registry: LoopbackRegistry, _ user: String, _ password: String
        ) throws -> Puller {
            let file = try home.write("secret", password, mode: 0o600)
            let lines = """
                username = "\(user)"
                password = { file = "\(file)" }
                tag_ttl = "1h"
                """
            daemons.append(
                try DaemonProcess(DaemonConfiguration(registry, extra: lines), home: home))
            return Puller(daemons[daemons.count - 1], "/v2/docker.io/corp/a")
        }
        var daemons: [DaemonProcess] = []
        func stop() {
            for daemon in daemons { #expect(daemon.stop() == .exited(0)) }
            daemons = []
        }

        #expect(try start(old, "ann", "one").pull(image) == [])
        stop()
        old.state.with { $0.credentials = ("ann", "two") }
        let rotated = try start(old, "ann", "two")
        old.stop()
        #expect(try rotated.pull(image) == [], "a new password is no new user")
        stop()
        try old.start()
        for (registry, user) in [(new, "ann"), (old, "bob")] {
            let other = try start(registry, user, "one")
            let targets =
                image.blobs.map { other.blob($0) }
                + (["latest"] + image.documents.map(\.digest)).map { other.manifest($0) }
            for target in targets {
                let answer = try RawClient.request(other.address, target)
                #expect([403, 404].contains(answer.status), "\(user): \(target)")
            }
            stop()
        }
        let back = try start(old, "ann", "two")
        old.stop()
        #expect(try back.pull(image) == [], "what ann was shown is still hers")
        stop()
    }

    // A2: an upstream says that it has what another one keeps secret, to be given it.
    @Test func anUpstreamThatLiesIsGivenNothing() throws {
        let home = try TemporaryDirectory()
        let (corp, mean) = (try LoopbackRegistry(.basic), try LoopbackRegistry())
        corp.state.with { $0.credentials = ("ann", "pw") }
        corp.add(image, "corp/a")
        let blob = image.blobs[1]
        mean.add(blob)
        mean.inject(.otherBody(TestContent(seed: 1, size: blob.size)), on: "/blobs/")
        let file = try home.write("secret", "pw", mode: 0o600)
        let login = "username = \"ann\"\npassword = { file = \"\(file)\" }"
        let daemon = try DaemonProcess(
            DaemonConfiguration([
                DaemonConfiguration.proxy("corp.example", corp, login),
                DaemonConfiguration.proxy("mean.example", mean),
            ]), home: home)
        let evil = Puller(daemon, "/v2/mean.example/corp/a")
        #expect(!(try evil.get(blob).isRight), "first the claim, then the secret")
        #expect(try Puller(daemon, "/v2/corp.example/corp/a").pull(image) == [])
        for _ in 0..<3 { #expect(!(try evil.get(blob).isRight)) }
        mean.heal()
        #expect(try poll { try evil.get(blob).isRight }, "who has the bytes may show them")
    }

    // AUTH-8: what counts is the socket, not what a new file says of it.
    @Test func aReloadDoesNotOpenALoginToTheNetwork() throws {
        let upstream = try LoopbackRegistry(.basic)
        upstream.state.with { $0.credentials = ("ann", "pw") }
        upstream.add(image, "corp/a")
        let home = try TemporaryDirectory()
        let file = try home.write("secret", "pw", mode: 0o600)
        let open = "address = \"0.0.0.0:0\"\nhostnames = [\"*\"]"
        let daemon = try DaemonProcess(
            DaemonConfiguration(upstream, listener: open), home: home)
        let login = "username = \"ann\"\npassword = { file = \"\(file)\" }"
        for listener in [open, "address = \"127.0.0.1:0\""] {
            let next = DaemonConfiguration(upstream, extra: login, listener: listener)
            try Files.write(
                daemon.configurationFile, Array(next.text(store: daemon.storePath).utf8))
            daemon.child.signal(SIGHUP)
            #expect(poll { (try? daemon.metric("cistern_config_last_reload_successful")) == 0 })
            let address = daemon.address.replacing("0.0.0.0", with: "127.0.0.1")
            let target = Puller("", "/v2/docker.io/corp/a").manifest("latest")
            #expect(try RawClient.request(address, target).status == 403)
        }
    }
}
