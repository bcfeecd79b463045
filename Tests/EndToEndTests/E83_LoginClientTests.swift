import TestSupport
import Testing

/// skopeo, podman and containerd log in and pull, with and without a login (done when 2 and 4).
@Suite("E83 clients log in", .realParts)
struct E83_LoginClientTests {
    private typealias Scene = LoginScene

    /// A client's home: logins it has stored.
    private struct Home {
        let directory: TemporaryDirectory
        let scene: LoginScene

        init(_ scene: LoginScene) throws {
            directory = try TemporaryDirectory()
            self.scene = scene
        }

        private var environment: [String: String] {
            ["REGISTRY_AUTH_FILE": directory.file("auth.json"), "HOME": directory.path]
        }

        func login(_ program: String, _ name: String, _ password: String) throws -> Int32 {
            try Command.run(
                "sh",
                [
                    "-c",
                    "echo '\(password)' | \(program) login --tls-verify=false -u '\(name)'"
                        + " --password-stdin \(scene.address)",
                ], environment: environment
            ).code
        }

        func copy(_ name: String, _ more: [String] = []) throws -> Command.Output {
            try Command.run(
                "skopeo",
                ["copy", "--all", "--src-tls-verify=false"] + more + [
                    "docker://\(scene.address)/\(name)", "dir:\(directory.path)/out",
                ], environment: environment)
        }
    }

    @Test(arguments: ["skopeo", "podman"])
    func aLoginIsCheckedAndUsed(program: String) throws {
        let scene = try Scene(anonymous: "none")
        let home = try Home(scene)
        #expect(try home.copy("docker.io/library/a").code != 0, "without a login")
        #expect(try home.login(program, "bob", "wrong") != 0)
        #expect(try home.login(program, "nobody", "bob-s3cr3t") != 0)
        #expect(try home.login(program, "bob", "bob-s3cr3t") == 0)
        let copy = try home.copy("docker.io/library/a")
        #expect(copy.code == 0, "\(copy)")
        #expect(try home.copy("docker.io/private/a").code != 0, "by the rules")
        let robot = try scene.robot("pull:docker.io/private/**")
        #expect(try home.login(program, "token", robot) == 0)
        #expect(try home.copy("docker.io/private/a").code == 0)
        #expect(try home.copy("docker.io/library/a").code != 0)
    }

    @Test func nobodyHasToLogInWhereAnonymousMayPull() throws {
        let scene = try Scene()
        let home = try Home(scene)
        let copy = try home.copy("docker.io/library/a")
        #expect(copy.code == 0, "\(copy)")
        let tags = try Command.run(
            "skopeo",
            ["list-tags", "--tls-verify=false", "docker://\(scene.address)/docker.io/library/a"])
        #expect(tags.code == 0 && tags.stdout.contains("latest"), "\(tags)")
        #expect(try home.copy("docker.io/private/a").code != 0)
        let admin = try home.copy("docker.io/private/a", ["--src-creds", "ann:ann-s3cr3t"])
        #expect(admin.code == 0, "\(admin)")
    }

    /// By cause; who has no login yet is none of them.
    @Test func refusedLoginsAreCounted() throws {
        let scene = try Scene(anonymous: "none")
        func count(_ reason: String) throws -> Double? {
            try scene.daemon.metric("cistern_auth_failures_total{reason=\"\(reason)\"}")
        }
        #expect(try scene.status(scene.manifest) == 401)
        #expect(try scene.token(Scene.basic("bob", "wrong")).status == 401)
        #expect(try scene.status(scene.manifest, Scene.basic("bob", "wrong")) == 401)
        #expect(try scene.status(scene.manifest, Scene.bearer("nonsense")) == 401)
        #expect(try scene.status(scene.manifest, [("Authorization", "Digest a=b")]) == 401)
        #expect(try scene.status(scene.manifest, Scene.login("eve")) == 403)
        #expect(try scene.status(scene.manifest, Scene.login("bob")) == 200)
        #expect(try count("bad_password") == 2)
        #expect(try count("bad_token") == 1)
        #expect(try count("malformed") == 1)
        #expect(try count("denied") == 1)
        #expect(try count("busy") == 0)
        #expect(scene.daemon.awaitLog("user=eve"))
    }

    /// The way to tokens is the one that the client came by.
    @Test func skopeoLogsInOverTLS() throws {
        let authority = try TestAuthority()
        let scene = try Scene(anonymous: "none", tls: authority)
        let home = try TemporaryDirectory()
        let trusted = try home.directory("certs")
        try Files.write(trusted + "/ca.crt", try Files.read(authority.certificate))
        let environment = ["REGISTRY_AUTH_FILE": home.file("auth.json"), "HOME": home.path]
        let base = try Command.succeed(
            "curl", ["-sSi", "--cacert", authority.certificate, "https://\(scene.address)/v2/"])
        #expect(base.stdout.contains("Bearer realm=\"https://\(scene.address)/v2/_token\""))
        func login(_ password: String) throws -> Command.Output {
            try Command.run(
                "sh",
                [
                    "-c",
                    "echo '\(password)' | skopeo login --cert-dir \(trusted) -u bob"
                        + " --password-stdin \(scene.address)",
                ], environment: environment)
        }
        #expect(try login("wrong").code != 0)
        let right = try login("bob-s3cr3t")
        #expect(right.code == 0, "\(right)")
        let copy = try Command.run(
            "skopeo",
            [
                "copy", "--all", "--src-cert-dir", trusted,
                "docker://\(scene.address)/docker.io/library/a", "dir:\(home.path)/out",
            ], environment: environment)
        #expect(copy.code == 0, "\(copy)")
    }

    @Test(arguments: ["pull", "none"])
    func containerdPullsAsAUser(anonymous: String) throws {
        let scene = try Scene(anonymous: anonymous)
        let containerd = try ContainerdProcess(mirrors: ["docker.io": scene.daemon.url])
        let bare = try containerd.fetch("docker.io/library/a:latest")
        #expect((bare.code == 0) == (anonymous == "pull"), "\(bare)")
        let user = try containerd.fetch("docker.io/library/a:latest", user: "bob:bob-s3cr3t")
        #expect(user.code == 0, "\(user)")
        let denied = try containerd.fetch("docker.io/private/a:latest", user: "bob:bob-s3cr3t")
        #expect(denied.code != 0)
        let admin = try containerd.fetch("docker.io/private/a:latest", user: "ann:ann-s3cr3t")
        #expect(admin.code == 0, "\(admin)")
    }
}
