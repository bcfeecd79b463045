import Glibc
import TestSupport
import Testing

/// Moving in from a Nexus, from sources that mean no good, and to other destinations than Cistern.
@Suite("E86 moving in from elsewhere", .realParts)
struct E86_NexusTests {
    private func scene() throws -> (MoveScene, [String]) {
        let scene = try MoveScene(images: 0)
        try scene.files.write("nexus", NexusImitation.login + "\n", mode: 0o600)
        return (
            scene,
            [
                "--src-login", scene.files.file("nexus"), "--dest-login",
                scene.files.file("login"), "--state", scene.state,
            ]
        )
    }

    private static let images = (0..<5).map { number in
        NexusImitation.Image(
            repository: "docker-hosted", name: number < 3 ? "team/app" : "tool", tag: "v\(number)",
            fixture: ImageFixture(
                seed: 8700 + UInt64(number), layerSizes: [20_000, 5000],
                flavour: number == 2 ? .docker : .oci),
            changed: "2026-0\(number + 1)-01T10:00:00.000+00:00")
    }

    @Test func aNexusIsListedByItsInterfaceAndReadWithoutAConnector() throws {
        let other = NexusImitation.Image(
            repository: "other", name: "a", tag: "1", fixture: ImageFixture(seed: 8710))
        let nexus = try NexusImitation(Self.images + [other])
        let (scene, options) = try scene()
        let move = ["migrate", "nexus", nexus.url]
        // A: into a repository of another name; only that one.
        let first = try scene.run(
            move + ["--repository", "docker-hosted=releases", "--to", scene.new.daemon.url]
                + options)
        #expect(first.code == 0, "\(first)")
        for image in Self.images {
            let answer = try scene.new.get("/v2/releases/\(image.name)/manifests/\(image.tag)")
            #expect(answer["Docker-Content-Digest"] == image.fixture.index.digest)
            #expect(answer["Content-Type"] == image.fixture.index.mediaType)
            for blob in image.fixture.blobs {
                let answer = try scene.new.get("/v2/releases/\(image.name)/blobs/\(blob.digest)")
                #expect(MessageDigest.of(answer.body) == blob.digest)
            }
        }
        #expect(try scene.new.get("/v2/releases/a/manifests/1").status == 404)
        // B: every hosted repository, under its own name, and nothing that is none of images.
        let dry = try scene.run(
            move + ["--to", scene.new.daemon.url, "--dry-run"] + options)
        #expect(dry.code == 0, "\(dry)")
        let targets = dry.stdout.split(separator: "\n").compactMap { $0.split(separator: " ").last }
        #expect(targets.contains { $0.hasSuffix("/other/a:1") })
        #expect(targets.count == 6 && targets.count { $0.contains("/docker-hosted/") } == 5)
        #expect(!nexus.targets.contains { $0.contains("maven") || $0.contains("docker-proxy") })
    }

    @Test func namesAndDaysChoose() throws {
        let nexus = try NexusImitation(Self.images)
        let (scene, options) = try scene()
        func tags(_ more: [String]) throws -> [String] {
            let output = try scene.run(
                ["migrate", "nexus", nexus.url, "--to", scene.new.daemon.url, "--dry-run"]
                    + options + more)
            #expect(output.code == 0, "\(output)")
            return output.stdout.split(separator: "\n").map {
                String($0.split(separator: ":").last ?? "")
            }.sorted()
        }
        #expect(try tags(["--include", "team/*"]) == ["v0", "v1", "v2"])
        #expect(try tags(["--exclude", "**/app"]) == ["v3", "v4"])
        #expect(try tags(["--since", "2026-03-01"]) == ["v2", "v3", "v4"])
        #expect(
            try scene.run(["migrate", "nexus", nexus.url, "--to", "a", "--since", "x"]).code == 64)
    }

    @Test func aListThatHasNoEndIsRefused() throws {
        let nexus = try NexusImitation(Self.images, repeatsToken: true)
        let (scene, options) = try scene()
        let output = try scene.run(
            ["migrate", "nexus", nexus.url, "--to", scene.new.daemon.url] + options)
        #expect(output.code == 1, "\(output)")
        #expect(output.stderr.contains("the same page again"))
    }

    // SSRF-1, SSRF-4: what a source says is data.
    @Test func namesThatAreNoneAreReportedAndGoNowhere() throws {
        let bad = ["../../etc", "A/b", "a\u{1b}[2Jb", "a//b", String(repeating: "a", count: 300)]
        let escaped = bad.map { name in
            "\"" + name.flatMap { $0 == "\u{1b}" ? "\\u001b" : String($0) } + "\""
        }
        let page = #"{"repositories":[\#((escaped + ["\"fine\""]).joined(separator: ","))]}"#
        let log = Monitor<[String]>([])
        let server = try LoopbackServer { request in
            log.with { $0.append(request.target) }
            if request.path == "/v2/_catalog" {
                return ResponsePlan([("Content-Type", "application/json")], body: TestContent(page))
            }
            if request.path == "/v2/fine/tags/list" {
                let list = #"{"name":"fine","tags":["ok","../x","a b"]}"#
                return ResponsePlan([("Content-Type", "application/json")], body: TestContent(list))
            }
            // More than any manifest has.
            let large = TestContent(seed: 1, size: 6 << 20)
            return ResponsePlan(
                [("Content-Type", "application/vnd.oci.image.manifest.v1+json")], body: large)
        }
        let (scene, options) = try scene()
        let output = try scene.run(
            ["migrate", "registry", server.url, "--to", "\(scene.new.daemon.url)/releases"]
                + options)
        #expect(output.code == 3, "\(output)")
        #expect(!(output.stdout + output.stderr).contains("\u{1b}"))
        #expect(output.stdout.split(separator: "failed: ").count == bad.count + 2)
        #expect(output.stdout.contains("exceeds"))
        let asked = log.read { $0 }.filter { !$0.hasPrefix("/v2/_catalog") }
        #expect(asked.allSatisfy { $0.hasPrefix("/v2/fine/") }, "\(asked)")
    }

    @Test func aCatalogueThatLeadsInACircleIsRefused() throws {
        let server = try LoopbackServer { _ in
            ResponsePlan(
                [
                    ("Content-Type", "application/json"),
                    ("Link", "</v2/_catalog?n=1000&last=a>; rel=\"next\""),
                ], body: TestContent(#"{"repositories":["a"]}"#))
        }
        let (scene, options) = try scene()
        let output = try scene.run(
            ["migrate", "registry", server.url, "--to", "\(scene.new.daemon.url)/releases"]
                + options)
        #expect(output.code == 1, "\(output)")
        #expect(output.stderr.contains("the same page again"))
    }

    // CRED-3
    @Test func anUploadThatLeadsElsewhereGetsNoLogin() throws {
        let seen = Monitor<[WireRequest]>([])
        let elsewhere = try LoopbackServer { request in
            seen.with { $0.append(request) }
            return ResponsePlan(status: 201, body: TestContent(""))
        }
        let place = "\(elsewhere.url)/upload?state=1"
        let destination = try LoopbackServer { request in
            guard request["Authorization"] != nil else {
                return ResponsePlan(
                    status: 401, [("WWW-Authenticate", "Basic realm=\"x\"")],
                    body: TestContent(""))
            }
            switch request.method {
            case "POST":
                return ResponsePlan(status: 202, [("Location", place)], body: TestContent(""))
            case "PUT": return ResponsePlan(status: 201, body: TestContent(""))
            default: return .failure(404, "NOT_FOUND", "no")
            }
        }
        let upstream = try LoopbackRegistry(.plain)
        let image = ImageFixture(seed: 871, architectures: ["amd64"])
        upstream.add(image, "a")
        let (scene, _) = try scene()
        let output = try scene.run([
            "copy", "\(upstream.authority)/a", "\(destination.address):\(destination.port)/a",
            "--dest-login", scene.files.file("login"),
        ])
        #expect(output.code == 0, "\(output)")
        let uploads = seen.read { $0 }
        #expect(uploads.count == image.blobs.count)
        #expect(uploads.allSatisfy { $0["Authorization"] == nil && $0.query("state") == ["1"] })
        #expect(uploads.allSatisfy { $0.query("digest").count == 1 })
    }

    /// Any registry is a destination; one without the referrers API gets the list by a tag.
    @Test func imagesMoveOutAgainWithWhatRefersToThem() throws {
        let scene = try MoveScene(images: 2)
        #expect(try scene.run(scene.arguments).code == 0)
        let back = try DockerRegistryProcess()
        let name = "team1/app1"
        let output = try scene.run([
            "copy", "\(scene.new.address)/releases/\(name):v1", "\(back.address)/\(name):v1",
        ])
        #expect(output.code == 0, "\(output)")
        let accept = [("Accept", RegistryFiller.accepted)]
        let manifest = try RawClient.request(
            back.address, "/v2/\(name)/manifests/v1", fields: accept)
        let subject = try #require(manifest["Docker-Content-Digest"])
        let tag = "sha256-" + subject.dropFirst(7)
        let list = try RawClient.request(
            back.address, "/v2/\(name)/manifests/\(tag)", fields: accept)
        #expect(list.text.contains("application/x.signature"), "\(list.text)")
        for digest in RegistryFiller.digests(in: list.text) {
            let answer = try RawClient.request(
                back.address, "/v2/\(name)/manifests/\(digest)", fields: accept)
            #expect(answer.status == 200)
        }
    }

    @Test func aTerminalShowsBars() throws {
        let scene = try MoveScene(images: 6)
        let command = ([try DaemonProcess.binary()] + scene.arguments).joined(separator: " ")
        let output = try Command.run(
            "script", ["-qec", command, "/dev/null"],
            environment: ["TERM": "xterm", "HOME": scene.files.path])
        #expect(output.code == 0, "\(output)")
        #expect(output.stdout.contains("images"))
        #expect(output.stdout.contains("\u{1b}["))
        #expect(output.stdout.contains("░") || output.stdout.contains("█"))
        #expect(!output.stdout.contains("copied releases/"))
    }
}
