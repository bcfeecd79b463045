import Glibc
import TestSupport

/// Debian's `docker-registry`, for an upstream that nobody here wrote.
final class DockerRegistryProcess: Sendable {
    let address: String
    private let child: Monitor<ChildProcess>
    private let home: TemporaryDirectory
    private let upstream: String?

    /// A registry of its own; or a cache of the one at `upstream`, which speaks TLS with a
    /// certificate of that name.
    init(proxying upstream: String? = nil, certificate: String? = nil) throws {
        home = try TemporaryDirectory()
        self.upstream = upstream
        let (child, address) = try DockerRegistryProcess.start(
            home, "127.0.0.1:0", upstream, certificate)
        self.child = Monitor(child)
        self.address = address
    }

    /// The certificate in use, in PEM.
    var certificate: String { home.file("cert.pem") }

    /// Starts anew on the same port with another certificate, which its clients do not know.
    func restart(certificate: String) throws {
        stop()
        let trusted = try Files.text(self.certificate)
        let (child, _) = try DockerRegistryProcess.start(home, address, upstream, certificate)
        try Files.write(self.certificate, Array(trusted.utf8))
        self.child.with { $0 = child }
    }

    private static func start(
        _ home: TemporaryDirectory, _ address: String, _ upstream: String?, _ certificate: String?
    ) throws -> (ChildProcess, String) {
        var http = "addr: \"\(address)\""
        if let certificate {
            let (key, file) = (home.file("key.pem"), home.file("cert.pem"))
            try Command.succeed(
                "openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", key, "-out", file, "-subj", "/CN=\(certificate)",
                    "-addext", "subjectAltName=IP:127.0.0.1",
                ])
            http += ", tls: {certificate: \(file), key: \(key)}"
        }
        let configuration = try home.write(
            "config.yml",
            """
            version: 0.1
            log: {level: info}
            storage: {filesystem: {rootdirectory: \(home.file("data"))}, delete: {enabled: true}}
            http: {\(http)}
            \(upstream.map { "proxy: {remoteurl: \"\($0)\"}" } ?? "")
            """)
        let log = home.file("log-\(Files.names(home.path).count)")
        let child = try ChildProcess(
            [try requireTool("docker-registry"), "serve", configuration], stdout: log, stderr: log)
        var found: String?
        poll {
            let text = (try? Files.text(log)) ?? ""
            found = text.split(separator: "listening on ").dropFirst().first.map { rest in
                String(rest.prefix { "0123456789.:".contains($0) })
            }
            return found != nil || !child.isRunning
        }
        guard let found else {
            throw TestFailure("docker-registry: \((try? Files.text(log)) ?? "")")
        }
        return (child, found)
    }

    deinit { child.read { $0.terminate() } }

    func stop() {
        let child = child.read { $0 }
        child.terminate()
        _ = child.wait()
    }

    /// Takes a blob's bytes from under it.
    func lose(_ digest: String) throws {
        let hex = digest.dropFirst(7)
        let blobs = home.file("data/docker/registry/v2/blobs/sha256")
        Files.removeTree("\(blobs)/\(hex.prefix(2))/\(hex)")
    }

    /// Pushes an image under a name, as it is.
    func push(_ image: ImageFixture, _ name: String, tag: String = "latest") throws {
        let layout = home.file("layout-\(name.split(separator: "/").joined(separator: "-"))")
        try image.writeLayout(to: layout, tag: tag)
        try Command.succeed(
            "skopeo",
            [
                "copy", "--all", "--dest-tls-verify=false", "--preserve-digests",
                "oci:\(layout):\(tag)", "docker://\(address)/\(name):\(tag)",
            ])
    }
}

/// A containerd of our own, used through `ctr` with a hosts directory.
final class ContainerdProcess: Sendable {
    private let child: ChildProcess
    private let home: TemporaryDirectory
    private let hosts: String

    /// `mirrors` says where each registry's mirror is, as `http://127.0.0.1:PORT`; with `https` the
    /// file of an `authority` is trusted.
    init(
        mirrors: [String: String], authority: String? = nil,
        capabilities: [String] = ["pull", "resolve"]
    ) throws {
        home = try TemporaryDirectory()
        hosts = try home.directory("hosts")
        for (registry, url) in mirrors {
            try home.write(
                "hosts/\(registry)/hosts.toml",
                """
                server = "\(url)"

                [host."\(url)"]
                capabilities = \(capabilities)
                \(authority.map { "ca = \"\($0)\"" } ?? "")
                """)
        }
        let configuration = try home.write(
            "containerd.toml",
            """
            version = 2
            root = "\(home.file("root"))"
            state = "\(home.file("state"))"
            disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs",
                "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
                "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt"]
            [grpc]
            address = "\(home.file("sock"))"
            [ttrpc]
            address = "\(home.file("ttrpc"))"
            """)
        let log = home.file("log")
        child = try ChildProcess(
            [try requireTool("containerd"), "--config", configuration], stdout: log, stderr: log)
        let sock = home.file("sock")
        let isUp = poll {
            guard Files.exists(sock) else { return !child.isRunning }
            return (try? Command.run("ctr", ["-a", sock, "version"]).code) == 0
        }
        guard isUp, child.isRunning else {
            throw TestFailure("containerd: \((try? Files.text(log)) ?? "")")
        }
    }

    deinit { child.terminate() }

    /// `ctr content fetch`: resolves and reads everything, unpacks nothing.
    func fetch(_ reference: String, user: String? = nil) throws -> Command.Output {
        try Command.run(
            "ctr",
            [
                "-a", home.file("sock"), "content", "fetch", "--all-platforms", "--hosts-dir",
                hosts,
            ] + (user.map { ["--user", $0] } ?? []) + [reference])
    }

    /// `ctr images pull`, unpacked by the snapshotter that needs no overlay mounts.
    func pull(_ reference: String) throws -> Command.Output {
        try Command.run(
            "ctr",
            [
                "-a", home.file("sock"), "images", "pull", "--snapshotter", "native",
                "--platform", "linux/amd64", "--hosts-dir", hosts, reference,
            ])
    }

    /// Takes in an image from a file, under a name with the tag `1`.
    func importImage(_ image: ImageFixture, as name: String) throws {
        let (layout, archive) = (home.file("layout"), home.file("image.tar"))
        try image.writeLayout(to: layout, tag: "1")
        try Command.succeed("tar", ["-C", layout, "-cf", archive, "."])
        try Command.succeed(
            "ctr",
            [
                "-a", home.file("sock"), "images", "import", "--no-unpack", "--base-name", name,
                archive,
            ])
    }

    /// `ctr images push` or `pull`: by plain HTTP, or as the hosts directory has it.
    func images(
        _ command: [String], _ way: PushSite.Way, user: String, _ arguments: [String]
    ) throws -> Command.Output {
        try Command.run(
            "ctr",
            ["-a", home.file("sock"), "images"] + command + ["--user", user]
                + (way.isSecure ? ["--hosts-dir", hosts] : ["--plain-http"]) + arguments)
    }

    /// The digest that an image's name stands for.
    func target(of reference: String) throws -> String? {
        let output = try Command.succeed(
            "ctr", ["-a", home.file("sock"), "images", "ls", "name==\(reference)"])
        return output.stdout.split(separator: "\n").last?
            .split(separator: " ", omittingEmptySubsequences: true)
            .first { $0.hasPrefix("sha256:") }.map(String.init)
    }

    /// The digests in the content store.
    func contents() throws -> Set<String> {
        let output = try Command.succeed("ctr", ["-a", home.file("sock"), "content", "ls", "-q"])
        return Set(output.stdout.split(separator: "\n").map(String.init))
    }
}

/// podman with storage, configuration and runtime directory of its own.
final class PodmanClient: Sendable {
    private let home: TemporaryDirectory

    /// `mirrors` says where each registry's mirror is, as `127.0.0.1:PORT/prefix`.
    init(mirrors: [String: String]) throws {
        home = try TemporaryDirectory()
        let blocks = mirrors.map { registry, location in
            """
            [[registry]]
            prefix = "\(registry)"
            location = "\(registry)"
            [[registry.mirror]]
            location = "\(location)"
            insecure = true
            """
        }
        try home.write("registries.conf", blocks.joined(separator: "\n\n"))
        try home.write("policy.json", #"{"default":[{"type":"insecureAcceptAnything"}]}"#)
        try Files.makeDirectories(home.file("run"))
    }

    private func run(_ arguments: [String]) throws -> Command.Output {
        try Command.run(
            "podman",
            [
                "--root", home.file("storage"), "--runroot", home.file("run"),
                "--tmpdir", home.file("tmp"), "--storage-driver", "vfs",
                "--cgroup-manager", "cgroupfs", "--events-backend", "none",
            ] + arguments,
            environment: [
                "CONTAINERS_REGISTRIES_CONF": home.file("registries.conf"), "HOME": home.path,
                "XDG_RUNTIME_DIR": home.file("run"),
            ])
    }

    func pull(_ reference: String) throws -> Command.Output {
        try run(["pull", "--signature-policy", home.file("policy.json"), "--quiet", reference])
    }

    /// Forgets all images, so that the next pull starts from nothing.
    func removeImages() throws {
        let output = try run(["rmi", "--all", "--force"])
        guard output.code == 0 else { throw TestFailure("podman rmi: \(output)") }
    }
}

/// An image that real clients can run: Debian's static busybox and some data, for two platforms.
func realImage(seed: UInt64) throws -> ImageFixture {
    ImageFixture(
        seed: seed, layerSizes: [50_000, 3_000_000],
        busybox: try Files.read(try requireTool("/bin/busybox")))
}
