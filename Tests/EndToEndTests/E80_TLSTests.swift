import Glibc
import TestSupport
import Testing

/// HTTPS on a listener, with real clients (TLS-4).
@Suite("E80 TLS", .realParts)
struct E80_TLSTests {
    /// A daemon with an HTTPS listener before a plain one, and an upstream for docker.io.
    private final class Site {
        let upstream: LoopbackRegistry
        let authority: TestAuthority
        let image = ImageFixture(seed: 80, layerSizes: [3_000_000, 40_000])
        let blob = TestContent(seed: 81, size: 20 << 20)
        var configuration: DaemonConfiguration
        let daemon: DaemonProcess
        /// The certificate in use, where a reload finds a new one.
        let certificate: String
        let key: String

        init(_ more: String = "", listener: String = "") throws {
            upstream = try LoopbackRegistry()
            upstream.add(image, "library/a")
            upstream.add(blob)
            authority = try TestAuthority()
            certificate = authority.directory.file("live.pem")
            key = authority.directory.file("live.key")
            try Self.show(
                authority.issue(["cache.example", "127.0.0.1"]), certificate, key)
            let lab = try authority.issue(["lab.example"])
            configuration = DaemonConfiguration([
                DaemonConfiguration.proxy("docker.io", upstream),
                """
                [tls.office]
                certificate = "\(certificate)"
                key = "\(key)"
                \(more)
                [tls.lab]
                certificate = "\(lab.certificate)"
                key = { file = "\(lab.key)" }
                \(more)
                """,
            ])
            configuration.listeners = ["tls = [\"office\", \"lab\"]\n\(listener)", ""]
            daemon = try DaemonProcess(configuration)
        }

        /// Puts a certificate where the configuration has it.
        static func show(
            _ pair: TestAuthority.Pair, _ certificate: String, _ key: String
        ) throws {
            try Files.write(certificate, pair.certificateBytes)
            try Files.write(key, pair.keyBytes, mode: 0o600)
        }

        var port: String { String(daemon.address.split(separator: ":").last ?? "") }
        var path: String { "/v2/docker.io/library/a" }

        /// What `curl` makes of a path below a name that leads to the daemon.
        func curl(
            _ path: String, name: String = "cache.example", _ options: [String] = []
        ) throws -> Command.Output {
            try Command.run(
                "curl",
                [
                    "-sS", "--cacert", authority.certificate, "--resolve",
                    "\(name):\(port):127.0.0.1", "https://\(name):\(port)\(path)",
                ] + options)
        }

        /// A connection of a client that knows the authority.
        func connect(_ name: String) throws -> (TestSocket, ClientTLS) {
            let socket = try TestSocket.connect("127.0.0.1", UInt16(port) ?? 0)
            let options = ClientTLS.Options(name: name, authority: authority.certificate)
            return (socket, try ClientTLS(over: socket.descriptor, options))
        }
    }

    @Test func curlSpeaksBothVersionsAndGetsEveryByte() throws {
        let site = try Site()
        let file = site.authority.directory.file("body")
        // Cold, then warm.
        for version in [["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3"]] {
            let target = "\(site.path)/blobs/\(site.blob.digest)"
            let output = try site.curl(target, version + ["-o", file])
            #expect(output.code == 0, "\(output)")
            #expect(MessageDigest.of(try Files.read(file)) == site.blob.digest)
        }
        let lab = try site.curl("/v2/", name: "lab.example", ["-w", "%{http_code}", "-o", file])
        #expect(lab.stdout == "200", "\(lab)")
        // The second listener is plain all the same, and shares what is stored.
        let plain = site.daemon.listeners[1]
        let puller = Puller(plain, site.path)
        #expect(try puller.get(site.blob).isRight)
        let key = try Files.text(site.key).split(separator: "\n")[1]
        #expect(!site.daemon.log.contains(key))
    }

    @Test func skopeoAndContainerdPull() throws {
        let site = try Site()
        let certificates = try site.authority.directory.directory("certs")
        try Files.write("\(certificates)/ca.crt", Files.read(site.authority.certificate))
        let out = site.authority.directory.file("out")
        let output = try Command.run(
            "skopeo",
            [
                "copy", "--all", "--src-cert-dir", certificates,
                "docker://\(site.daemon.address)/docker.io/library/a:latest", "dir:\(out)",
            ])
        #expect(output.code == 0, "\(output)")
        for blob in site.image.blobs {
            let path = "\(out)/\(blob.digest.dropFirst(7))"
            #expect(MessageDigest.of(try Files.read(path)) == blob.digest)
        }
        let containerd = try ContainerdProcess(
            mirrors: ["docker.io": "https://\(site.daemon.address)"],
            authority: site.authority.certificate)
        let fetch = try containerd.fetch("docker.io/library/a:latest")
        #expect(fetch.code == 0, "\(fetch)")
    }

    @Test func strangersAreTurnedAway() throws {
        let site = try Site(listener: "hostnames = [\"cache.example\", \"127.0.0.1\"]")
        let plain = try RawClient.request(site.daemon.address, "/v2/")
        #expect(plain.status == 400)
        #expect(plain.text.contains("https://"))
        // Neither a name of ours nor of a certificate's; a certificate's, but not one of ours.
        let unknown = try site.curl("/v2/", name: "other.example", ["-k"])
        #expect(unknown.code == 35, "\(unknown)")
        #expect(site.daemon.awaitLog("the name asked for is not served"))
        let lab = try site.curl("/v2/", name: "lab.example", ["-w", "%{http_code}"])
        #expect(lab.stdout.hasSuffix("421"), "\(lab)")
        let old = try site.curl(
            "/v2/", ["--tlsv1.1", "--tls-max", "1.1", "--ciphers", "ALL:@SECLEVEL=0"])
        #expect(old.code == 35, "\(old)")
        #expect(
            try site.daemon.metric("cistern_connections_rejected_total{reason=\"plain_http\"}")
                == 1)
    }

    @Test func clientsShowCertificates() throws {
        let authority = try TestAuthority()
        let site = try Site("client_ca = \"\(authority.certificate)\"\nmin_version = \"1.3\"")
        let client = try authority.issue(["node"])
        let options = ["-w", "%{http_code}", "-o", "/dev/null"]
        let known = try site.curl(
            "/v2/", options + ["--cert", client.certificate, "--key", client.key])
        #expect(known.stdout == "200", "\(known)")
        #expect(try site.curl("/v2/", options).code != 0)
        let stranger = try site.authority.issue(["node"])
        let unknown = try site.curl(
            "/v2/", options + ["--cert", stranger.certificate, "--key", stranger.key])
        #expect(unknown.code != 0)
        #expect(try site.curl("/v2/", options + ["--tls-max", "1.2"]).code == 35)
    }

    // INT-1
    @Test func aWrongBodyIsCutWithoutGoodbye() throws {
        let site = try Site()
        let blob = TestContent(seed: 82, size: 2 << 20)
        site.upstream.add(blob)
        site.upstream.inject(.flip(at: 1 << 20), on: blob.digest)
        let (socket, client) = try site.connect("cache.example")
        #expect(
            client.send(
                Array("GET \(site.path)/blobs/\(blob.digest) HTTP/1.1\r\nHost: a\r\n\r\n".utf8)))
        var (count, buffer) = (0, [UInt8](repeating: 0, count: 64 << 10))
        var last = ClientTLS.Received.bytes(0)
        while case .bytes(let received) = last {
            count += received
            last = client.receive(&buffer)
        }
        #expect(last == .truncated)
        #expect(count > 1 << 20 && count < 2 << 20)
        withExtendedLifetime(socket) {}
    }

    // OPS-2
    @Test func aReloadTakesNewCertificates() throws {
        let site = try Site()
        let (socket, held) = try site.connect("cache.example")
        let old = try Files.read(site.key)
        try Site.show(site.authority.issue(["new.example"]), site.certificate, site.key)
        site.daemon.child.signal(SIGHUP)
        #expect(site.daemon.awaitLog("msg=reloaded"))
        #expect(try site.connect("new.example").1.serverName == "new.example")
        // A key of another certificate: nothing changes, and the log says why.
        try Files.write(site.key, old)
        site.daemon.child.signal(SIGHUP)
        #expect(site.daemon.awaitLog("the key does not belong to the certificate"))
        #expect(try site.daemon.metric("cistern_config_last_reload_successful") == 0)
        #expect(try site.connect("new.example").1.serverName == "new.example")
        let name = "cistern_tls_certificate_not_after_timestamp_seconds{name=\"office\"}"
        #expect(try site.daemon.metric(name) ?? 0 > 1_700_000_000)
        // The first connection has lived through it all.
        #expect(held.send(Array("GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n".utf8)))
        var buffer = [UInt8](repeating: 0, count: 4096)
        guard case .bytes(let count) = held.receive(&buffer) else {
            Issue.record("the connection was dropped")
            return
        }
        #expect(String(decoding: buffer[..<count], as: UTF8.self).hasPrefix("HTTP/1.1 200"))
        withExtendedLifetime(socket) {}
    }
}
