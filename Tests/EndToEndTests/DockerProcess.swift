import Glibc
import TestSupport

/// Debian's dockerd, seen by nobody else, and the Docker CLI.
///
/// It runs in a mount namespace with an `/etc` of its own, where the authority of HTTPS and its
/// host name are known, and without network for its containers.
final class DockerProcess: PushClient, Sendable {
    let complaint = "unauthorized"
    private let child: ChildProcess
    private let home: TemporaryDirectory
    private let cli: String

    /// Why it cannot run here; nil if it might.
    static let obstacle: String? = {
        guard geteuid() == 0 else { return "dockerd has to be root" }
        guard (try? requireTool("dockerd")) != nil else { return "dockerd is not installed" }
        let unshare = try? Command.run("unshare", ["-m", "mount", "--make-rprivate", "/"])
        return unshare?.code == 0 ? nil : "mounts cannot be made here"
    }()

    init(_ site: PushSite) throws {
        home = try TemporaryDirectory()
        // The CLI that belongs to the daemon, whatever else is on the path.
        cli = Files.exists("/usr/bin/docker") ? "/usr/bin/docker" : try requireTool("docker")
        let etc = home.file("etc")
        try Command.succeed("cp", ["-a", "/etc", etc])
        let trusted = "\(etc)/docker/certs.d/\(Self.name(site.secure))"
        try Files.makeDirectories(trusted)
        try Files.write("\(trusted)/ca.crt", Files.read(site.authority.certificate))
        let hosts = (try? Files.text("\(etc)/hosts")) ?? ""
        try home.write("etc/hosts", "\(hosts)\n127.0.0.1 \(PushSite.host)\n")
        let options = [
            "--iptables=false", "--ip-masq=false", "--bridge=none", "--storage-driver=vfs",
            "--config-file", home.file("daemon.json"), "--data-root", home.file("root"),
            "--exec-root", home.file("exec"), "--pidfile", home.file("pid"),
            "-H", "unix://\(home.file("sock"))", "--insecure-registry", site.plain.address,
        ]
        try home.write("daemon.json", "{}")
        let script = try home.write(
            "start",
            "mount --make-rprivate / && mount --bind \(etc) /etc && exec dockerd \"$@\"\n")
        let log = home.file("log")
        child = try ChildProcess(
            [try requireTool("unshare"), "-m", "sh", script] + options, stdout: log, stderr: log)
        let isUp = poll {
            if !child.isRunning { return true }
            return (try? run(["version"]).code) == 0
        }
        guard isUp, child.isRunning else {
            throw DockerUnavailable(log: (try? Files.text(log)) ?? "")
        }
        // The layer is larger than all else that is pushed.
        var tar = TarArchive()
        tar.addFile("data.bin", seed: 854, size: 300_000)
        try Files.write(home.file("root.tar"), tar.content.bytes)
        let output = try run(["import", home.file("root.tar"), "own:1"])
        guard output.code == 0 else { throw TestFailure("\(output)") }
    }

    deinit {
        child.signal(SIGTERM)
        _ = child.wait(within: .seconds(15))
        child.terminate()
    }

    /// HTTPS by a host name, as its authority is found; where it leads to loopback, dockerd would
    /// also take another certificate.
    private static func name(_ way: PushSite.Way) -> String {
        guard way.isSecure else { return way.address }
        return "\(PushSite.host):\(way.address.split(separator: ":").last ?? "")"
    }

    private func run(_ arguments: [String]) throws -> Command.Output {
        try Command.run(cli, arguments, environment: environment)
    }

    private var environment: [String: String] {
        [
            "DOCKER_HOST": "unix://\(home.file("sock"))", "DOCKER_CONFIG": home.file("config"),
            "HOME": home.path,
        ]
    }

    func login(_ way: PushSite.Way, password: String) throws -> Command.Output {
        try Command.run(
            "sh",
            [
                "-c",
                "echo '\(password)' | \(cli) login -u \(HostedScene.user) --password-stdin "
                    + Self.name(way),
            ], environment: environment)
    }

    func push(_ way: PushSite.Way, _ name: String) throws -> Command.Output {
        let reference = "\(Self.name(way))/\(name):1"
        _ = try run(["tag", "own:1", reference])
        return try run(["push", reference])
    }

    /// All else is kept, so that only the layers' presence is checked, and the digest.
    func pull(_ way: PushSite.Way, _ name: String) throws -> [String] {
        let reference = "\(Self.name(way))/\(name):1"
        _ = try run(["rmi", reference])
        let output = try run(["pull", reference])
        guard output.code == 0 else { return [] }
        return output.stdout.split(separator: "\n").filter { $0.hasPrefix("Digest: ") }
            .map { String($0.dropFirst(8)) }
    }
}

/// dockerd does not start where it is.
struct DockerUnavailable: Error {
    let log: String
}
