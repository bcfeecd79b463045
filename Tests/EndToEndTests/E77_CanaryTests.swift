import Glibc
import TestSupport
import Testing

/// No secret in any output: what is put in at every place that holds secrets is looked for in
/// everything that comes out, over all kinds of upstreams and faults (CRED-6, P7).
@Suite("E77 canaries", .realParts)
struct E77_CanaryTests {
    /// What must come out nowhere, each under the name of where it was put in.
    private static let password = "c4nary-Pa55/#+word"
    private static let client = "c4nary-client"
    private static let upstreamText = "c4nary-text-of-the-upstream"
    private static let canaries: [(place: String, text: String)] = [
        ("password", password), ("password in Basic", base64("robot:\(password)")),
        ("client's Basic", base64("ann:\(client)")), ("client's Bearer", "\(client)-bearer"),
        ("client's cookie", "\(client)-cookie"), ("token", "c4n4ry"),
        ("presigned query", "s3cret-signature"), ("text of the upstream", upstreamText),
        ("userinfo of a URL", "c4nary-userinfo"), ("query of a redirect", "c4nary-query"),
    ]

    private static let credentials = [
        ("Authorization", "Basic \(base64("ann:\(client)"))"),
        ("Cookie", "session=\(client)-cookie"),
    ]

    /// What upstreams do wrong, each with a secret in what they say.
    private static func faults(_ upstream: LoopbackRegistry) -> [UpstreamFault] {
        let evil = upstream.evil.url.dropFirst(7)
        let headers = [("X-Secret", upstreamText), ("Set-Cookie", upstreamText)]
        return [
            .status(500, headers: headers, body: upstreamText),
            .status(404, headers: headers, body: upstreamText),
            .status(403, headers: headers, body: #"{"errors":[{"message":"\#(upstreamText)"}]}"#),
            .status(429, headers: [("Retry-After", "1")], body: upstreamText),
            .status(200, headers: headers, body: upstreamText),
            .redirect("http://169.254.169.254/x?signature=c4nary-query"),
            .redirect("http://robot:c4nary-userinfo@\(evil)/x?a=c4nary-query"),
            .redirect("nonsense://c4nary-userinfo/?c4nary-query"),
            .challenge(
                #"Bearer realm="http://u:c4nary-userinfo@\#(evil)/?c4nary-query",service="a""#),
            .challenge(#"Bearer realm="\#(upstreamText)",scope="\#(upstreamText)""#),
            .header("Content-Encoding", upstreamText), .header("Content-Type", upstreamText),
            .header("Docker-Content-Digest", upstreamText), .header("Content-Length", upstreamText),
            .header("Link", "<http://u:c4nary-userinfo@\(evil)/?c4nary-query>; rel=\"next\""),
            .flip(at: 5), .truncate(at: 5), .reset(at: 5), .dropped, .endlessHeaders,
        ]
    }

    private final class Outputs: Sendable {
        private let pieces = Monitor<[(String, [UInt8])]>([])

        func add(_ place: String, _ bytes: [UInt8]) { pieces.with { $0.append((place, bytes)) } }

        func add(_ place: String, _ answer: WireResponse?) {
            guard let answer else { return }
            let fields = answer.fields.map { "\($0.name): \($0.value)" }.joined(separator: "\n")
            add(place, Array("\(answer.reason)\n\(fields)\n".utf8) + answer.body)
        }

        /// The places in which a text is found.
        func places(of text: String) -> [String] {
            pieces.read { $0.filter { Self.contains($0.1, text) }.map(\.0) }
        }

        var count: Int { pieces.read { $0.count } }
        var bytes: Int { pieces.read { $0.reduce(0) { $0 + $1.1.count } } }

        private static func contains(_ bytes: [UInt8], _ text: String) -> Bool {
            let text = Array(text.utf8)
            guard let first = text.first else { return true }
            return bytes.withUnsafeBytes { bytes in
                guard let start = bytes.baseAddress else { return false }
                var offset = 0
                while offset + text.count <= bytes.count {
                    let found = memchr(start + offset, Int32(first), bytes.count - offset)
                    guard let found else { return false }
                    offset = start.distance(to: UnsafeRawPointer(found))
                    if offset + text.count <= bytes.count, memcmp(found, text, text.count) == 0 {
                        return true
                    }
                    offset += 1
                }
                return false
            }
        }
    }

    @Test(arguments: [LoopbackRegistry.Persona.plain, .dockerHub, .quay, .basic])
    func noSecretComesOut(of persona: LoopbackRegistry.Persona) throws {
        let upstream = try LoopbackRegistry(persona)
        let image = ImageFixture(seed: 77)
        upstream.add(image, "library/a")
        upstream.state.with { $0.credentials = ("robot", Self.password) }
        let secrets = try TemporaryDirectory()
        let file = try secrets.write("secret", Self.password, mode: 0o600)
        let extra = """
            username = "robot"
            password = { file = "\(file)" }
            share_private = true
            first_byte_timeout = "2s"
            stall_timeout = "1s"
            retries = 0
            """
        // A repository for each fault, so that no breaker hides the next.
        let hosts = ["docker.io"] + Self.faults(upstream).indices.map { "f\($0).example" }
        let configuration = DaemonConfiguration(
            hosts.map { DaemonConfiguration.proxy($0, upstream, extra) })
        let daemon = try DaemonProcess(configuration)
        let outputs = Outputs()
        try pull(image, daemon, upstream, outputs)
        try mistakes(configuration, daemon, outputs)
        for path in ["/metrics", "/healthz", "/readyz", "/", "/status"] {
            outputs.add("admin \(path)", try? RawClient.request(daemon.admin, path))
        }
        for name in ["cmdline", "environ"] {
            let bytes = try? Files.read("/proc/\(daemon.identifier)/\(name)")
            outputs.add(name, bytes ?? [])
        }
        #expect(daemon.stop() == .exited(0))
        scan(daemon, outputs)
        for canary in Self.canaries {
            #expect(outputs.places(of: canary.text) == [], "\(canary.place)")
        }
        // The scan itself finds what is there.
        #expect(outputs.places(of: "msg=ready") != [])
        #expect(outputs.places(of: image.index.mediaType) != [])
        let found = Self.canaries.count { outputs.places(of: $0.text) != [] }
        PromiseReport.add(
            "P7", "\(persona): \(outputs.count) outputs, \(outputs.bytes >> 10) KiB",
            figure: "\(found) canaries", bound: "0", held: found == 0)
    }

    /// Pulls through every fault, for every kind of object, with a client's own secrets.
    private func pull(
        _ image: ImageFixture, _ daemon: DaemonProcess, _ upstream: LoopbackRegistry,
        _ outputs: Outputs
    ) throws {
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let bearer = [("Authorization", "Bearer \(Self.client)-bearer")]
        for (number, fault) in Self.faults(upstream).enumerated() {
            for role: WireRequest.Role in [.registry, .token, .cdn] {
                upstream.heal()
                upstream.inject(fault, on: "", method: nil, role: role)
                // A name of its own each time: nothing is negative in the cache yet.
                let base = "/v2/f\(number).example/library/n-\(role)"
                for target in [
                    "\(base)/manifests/latest", "\(base)/tags/list",
                    "\(base)/blobs/\(image.blobs[0].digest)",
                    "\(base)/referrers/\(image.index.digest)",
                ] {
                    let fields = number % 2 == 0 ? Self.credentials : bearer
                    let answer = try? RawClient.request(
                        daemon.address, target, fields: fields, timeout: .seconds(20))
                    outputs.add("answer to \(target) under \(fault)", answer)
                }
            }
        }
        upstream.heal()
        // Pulled in the end, with all that is then stored.
        #expect(
            try poll {
                try RawClient.request(daemon.address, puller.manifest("latest")).status == 200
            })
        _ = try puller.pull(image)
    }

    /// Configurations with secrets at wrong places: errors show none.
    private func mistakes(
        _ configuration: DaemonConfiguration, _ daemon: DaemonProcess, _ outputs: Outputs
    ) throws {
        let good = configuration.text(store: daemon.storePath)
        for mistake in [
            "\n[repositories.x]\ntype = \"proxy\"\npassword = \"\(Self.password)\"\nupstream = 5\n",
            "\n[repositories.x]\ntype = \"proxy\"\nupstream = \"https://u:c4nary-userinfo@x/\"\n",
            "\n[repositories.x]\npassword = { file = \"/does/not/exist\" }\npasswrd = \"\(Self.password)\"\n",
            "\n[log]\npassword = \"\(Self.password)\n",
        ] {
            try Files.write(daemon.configurationFile, Array((good + mistake).utf8))
            let said = try Command.run(
                try DaemonProcess.binary(), ["check", "--config", daemon.configurationFile])
            #expect(said.code != 0)
            outputs.add("check", Array((said.stdout + said.stderr).utf8))
            let before = daemon.log.split(separator: "\n").count { $0.contains("not taken") }
            daemon.child.signal(SIGHUP)
            #expect(
                poll {
                    daemon.log.split(separator: "\n").count { $0.contains("not taken") } > before
                })
        }
    }

    /// Everything on disk, and what was said on stdout and stderr.
    private func scan(_ daemon: DaemonProcess, _ outputs: Outputs) {
        for entry in Files.walk(daemon.home.path) {
            // The file as the operator wrote it, mistakes included.
            if entry.path == daemon.configurationFile { continue }
            outputs.add("name of a file", Array(entry.path.utf8))
            guard !entry.isDirectory, let bytes = try? Files.read(entry.path) else { continue }
            outputs.add(entry.path, bytes)
        }
    }
}
