import TestSupport

/// A client that logs in, pushes one image of its own, and pulls.
///
/// References are registry paths without the tag, which is always `1`.
protocol PushClient {
    /// Begins with what is said to people when the password is wrong.
    var complaint: String { get }
    func login(_ way: PushSite.Way, password: String) throws -> Command.Output
    func push(_ way: PushSite.Way, _ name: String) throws -> Command.Output
    /// Pulls anew; the digest of what came, or all by which the client knows it; else none.
    func pull(_ way: PushSite.Way, _ name: String) throws -> [String]
}

/// A layer of the images that are pushed, larger than everything else of them together.
private func layerTar(seed: UInt64) -> [UInt8] {
    var tar = TarArchive()
    tar.addFile("data.bin", seed: seed, size: 300_000)
    return tar.content.bytes
}

/// What clients of the library `containers/image` have in common.
private struct ContainersHome {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        try directory.write("policy.json", #"{"default":[{"type":"insecureAcceptAnything"}]}"#)
        try directory.write("registries.conf", "unqualified-search-registries = []\n")
        _ = try directory.directory("run")
    }

    var policy: [String] { ["--signature-policy", directory.file("policy.json")] }

    func run(_ command: [String]) throws -> Command.Output {
        try Command.run(
            command[0], Array(command.dropFirst()),
            environment: [
                "REGISTRY_AUTH_FILE": directory.file("auth.json"), "HOME": directory.path,
                "XDG_RUNTIME_DIR": directory.file("run"),
                "CONTAINERS_REGISTRIES_CONF": directory.file("registries.conf"),
            ])
    }

    func login(
        _ command: [String], _ way: PushSite.Way, _ password: String
    ) throws -> Command.Output {
        let line = (command + ["login"] + way.options).joined(separator: " ")
        return try run([
            "sh", "-c",
            "echo '\(password)' | \(line) -u \(HostedScene.user) --password-stdin \(way.address)",
        ])
    }
}

/// `skopeo copy` of an image for two platforms, and `skopeo delete`.
struct SkopeoPusher: PushClient {
    private let home: ContainersHome
    let image: ImageFixture
    let complaint = "invalid username/password"

    init() throws {
        home = try ContainersHome()
        image = ImageFixture(seed: 850, layerSizes: [300_000])
        try image.writeLayout(to: home.directory.file("layout"), tag: "1")
    }

    func login(_ way: PushSite.Way, password: String) throws -> Command.Output {
        try home.login(["skopeo"], way, password)
    }

    func push(_ way: PushSite.Way, _ name: String) throws -> Command.Output {
        let options = way.options.map { "--dest-" + $0.dropFirst(2) }
        return try home.run(
            ["skopeo", "copy", "--all", "--preserve-digests"] + options + [
                "oci:\(home.directory.file("layout")):1", "docker://\(way.address)/\(name):1",
            ])
    }

    func pull(_ way: PushSite.Way, _ name: String) throws -> [String] {
        let out = home.directory.file("out")
        Files.removeTree(out)
        let options = way.options.map { "--src-" + $0.dropFirst(2) }
        let output = try home.run(
            ["skopeo", "copy", "--all"] + options + [
                "docker://\(way.address)/\(name):1", "dir:\(out)",
            ])
        guard output.code == 0 else { return [] }
        for blob in image.blobs {
            let file = try Files.read("\(out)/\(blob.digest.dropFirst(7))")
            guard MessageDigest.of(file) == blob.digest else { return [] }
        }
        return [MessageDigest.of(try Files.read("\(out)/manifest.json"))]
    }

    func delete(_ way: PushSite.Way, _ name: String) throws -> Command.Output {
        try home.run(["skopeo", "delete"] + way.options + ["docker://\(way.address)/\(name):1"])
    }

    func tags(_ way: PushSite.Way, _ name: String) throws -> Command.Output {
        try home.run(["skopeo", "list-tags"] + way.options + ["docker://\(way.address)/\(name)"])
    }
}

/// podman, which imports its image, or buildah, which builds it.
struct ContainersPusher: PushClient {
    private let home: ContainersHome
    private let command: [String]
    private let isPodman: Bool
    let complaint = "invalid username/password"

    init(podman isPodman: Bool) throws {
        home = try ContainersHome()
        self.isPodman = isPodman
        let own = [
            "--root", home.directory.file("storage"), "--runroot", home.directory.file("run"),
            "--storage-driver", "vfs",
        ]
        let podman = [
            "podman", "--tmpdir", home.directory.file("tmp"), "--cgroup-manager", "cgroupfs",
            "--events-backend", "none",
        ]
        command = (isPodman ? podman : ["buildah"]) + own
        let context = try home.directory.directory("context")
        try Files.write("\(context)/root.tar", layerTar(seed: isPodman ? 851 : 852))
        try Files.write(
            "\(context)/Containerfile", Array("FROM scratch\nCOPY root.tar /\n".utf8))
        let make =
            isPodman
            ? ["import", "--quiet", "\(context)/root.tar", "localhost/own:1"]
            : ["bud", "--quiet", "--isolation", "chroot"] + home.policy
                + ["-t", "localhost/own:1", context]
        let output = try home.run(command + make)
        guard output.code == 0 else { throw TestFailure("\(output)") }
    }

    func login(_ way: PushSite.Way, password: String) throws -> Command.Output {
        try home.login(command, way, password)
    }

    func push(_ way: PushSite.Way, _ name: String) throws -> Command.Output {
        try home.run(
            command + ["push", "--quiet"] + way.options + home.policy + [
                "localhost/own:1", "docker://\(way.address)/\(name):1",
            ])
    }

    func pull(_ way: PushSite.Way, _ name: String) throws -> [String] {
        let reference = "\(way.address)/\(name):1"
        let output = try home.run(
            command + ["pull", "--quiet"] + way.options + home.policy + [reference])
        guard output.code == 0 else { return [] }
        let inspect =
            isPodman
            ? ["inspect", "--format", "{{.RepoDigests}}"]
            : ["inspect", "--type", "image", "--format", "{{.FromImageDigest}}"]
        let found = try home.run(command + inspect + [reference])
        _ = try home.run(command + ["rmi", reference])
        // podman knows an image by all the digests that it was pushed or pulled as.
        let own = "\(way.address)/\(name)@"
        return found.stdout.split(whereSeparator: { " []\n".contains($0) }).compactMap { word in
            guard word.contains("@") else { return String(word) }
            return word.hasPrefix(own) ? String(word.dropFirst(own.count)) : nil
        }
    }
}

/// `ctr images`, by a containerd of its own.
struct ContainerdPusher: PushClient {
    private let containerd: ContainerdProcess
    private let image = ImageFixture(seed: 853, layerSizes: [300_000], architectures: ["amd64"])
    let complaint = "401"

    init(_ site: PushSite) throws {
        // By plain HTTP, as containerd does on loopback by itself, there is nothing to say.
        containerd = try ContainerdProcess(
            mirrors: [site.secure.address: "https://\(site.secure.address)"],
            authority: site.authority.certificate, capabilities: ["pull", "resolve", "push"])
        try containerd.importImage(image, as: "local/own")
    }

    /// containerd has no login: each command has its own.
    func login(_ way: PushSite.Way, password: String) throws -> Command.Output {
        // A name of its own: what is there already is not pushed, and needs no login.
        try push(way, "releases/login-\(way.isSecure ? "safe" : "plain")", password)
    }

    func push(_ way: PushSite.Way, _ name: String) throws -> Command.Output {
        try push(way, name, HostedScene.password)
    }

    private func push(
        _ way: PushSite.Way, _ name: String, _ password: String
    ) throws -> Command.Output {
        try containerd.images(
            ["push"], way, user: "\(HostedScene.user):\(password)",
            ["\(way.address)/\(name):1", "local/own:1"])
    }

    func pull(_ way: PushSite.Way, _ name: String) throws -> [String] {
        let reference = "\(way.address)/\(name):1"
        let output = try containerd.images(
            ["pull", "--snapshotter", "native", "--platform", "linux/amd64"], way,
            user: "\(HostedScene.user):\(HostedScene.password)", [reference])
        guard output.code == 0 else { return [] }
        return [try containerd.target(of: reference)].compactMap(\.self)
    }
}
