import TestSupport
import Testing

/// Clients that nobody here wrote log in, push, pull back, push again, mount and delete, by HTTP
/// and by HTTPS, at a hosted repository and at a group (issue 4, done when 2).
@Suite("E85 clients push", .realParts)
struct E85_PushClientTests {
    /// Less than the layer of any image here, and more than the rest of it.
    private static let littleBytes = 60_000.0

    @Test func skopeoPushesIndexesAndDeletes() throws {
        let site = try PushSite()
        let skopeo = try SkopeoPusher()
        try journey(skopeo, site, "sk")
        for way in [site.plain, site.secure] {
            #expect(try skopeo.push(way, "all/sk/gone").code == 0)
            let tags = try skopeo.tags(way, "all/sk/gone")
            #expect(tags.stdout.contains("\"1\""), "\(tags)")
            let output = try skopeo.delete(way, "all/sk/gone")
            #expect(output.code == 0, "\(output)")
            #expect(try skopeo.pull(way, "all/sk/gone").isEmpty)
        }
        // What the operator sees of it: who and how much, and nothing that proves it.
        let log = site.daemon.log
        #expect(log.contains { $0.isNewline } && log.contains("msg=push"))
        let pushes = log.split(separator: "\n").filter {
            $0.contains("method=PATCH") && $0.contains("status=202")
        }
        #expect(!pushes.isEmpty)
        for line in pushes {
            #expect(logValue("user", in: line) == HostedScene.user)
            #expect(Int(logValue("in", in: line) ?? "") ?? 0 > 0, "\(line)")
        }
        #expect(!log.contains(HostedScene.password))
        let refused = try site.daemon.metric("cistern_auth_failures_total{reason=\"bad_password\"}")
        #expect(refused == 2)
        let pushed = try site.pushed()
        let stored = try site.daemon.metricSum(
            "cistern_uploads_ended_total", "result=\"stored\"")
        #expect(pushed.uploads == stored)
    }

    @Test func podmanPushes() throws {
        try journey(ContainersPusher(podman: true), PushSite(), "pm")
    }

    @Test(.enabled(if: (try? requireTool("buildah")) != nil, "buildah is not installed"))
    func buildahPushes() throws {
        try journey(ContainersPusher(podman: false), PushSite(), "bl")
    }

    @Test func containerdPushesByItsHostsFile() throws {
        let site = try PushSite()
        try journey(ContainerdPusher(site), site, "ct")
    }

    @Test(.enabled(if: DockerProcess.obstacle == nil, "\(DockerProcess.obstacle ?? "")"))
    func dockerPushes() throws {
        let site = try PushSite()
        let docker: DockerProcess
        do {
            docker = try DockerProcess(site)
        } catch let failure as DockerUnavailable {
            print("E85: skipped, since dockerd does not start here:\n\(failure.log.suffix(2000))")
            return
        }
        try journey(docker, site, "dk")
    }

    /// One client's whole way, by HTTP to the hosted repository first, by HTTPS to the group first.
    private func journey(_ client: some PushClient, _ site: PushSite, _ name: String) throws {
        for way in [site.plain, site.secure] {
            let names = way.isSecure ? ["all", "releases"] : ["releases", "all"]
            let first = "\(names[0])/\(name)/\(way.isSecure ? "safe" : "plain")"
            let second = "\(names[1])/\(name)/\(way.isSecure ? "safe" : "plain")-too"
            let wrong = try client.login(way, password: "not-\(HostedScene.password)")
            #expect(wrong.code != 0, "\(wrong)")
            #expect((wrong.stdout + wrong.stderr).contains(client.complaint), "\(wrong)")
            let login = try client.login(way, password: HostedScene.password)
            #expect(login.code == 0, "\(login)")

            let push = try client.push(way, first)
            #expect(push.code == 0, "\(push)")
            let digest = try site.digest(first)
            #expect(digest.hasPrefix("sha256:"), "\(push)")
            #expect(try client.pull(way, first).contains(digest))

            let before = try site.pushed()
            let again = try client.push(way, first)
            #expect(again.code == 0, "\(again)")
            let afterwards = try site.pushed()
            #expect(afterwards.uploads == before.uploads, "nothing is sent twice: \(again)")
            #expect(try site.digest(first) == digest)

            let mount = try client.push(way, second)
            #expect(mount.code == 0, "\(mount)")
            let mounted = try site.pushed()
            #expect(mounted.mounts > afterwards.mounts, "\(mount)")
            #expect(mounted.bytes - afterwards.bytes < Self.littleBytes, "no layer is sent")
            #expect(try site.digest(second) == digest)
            #expect(try client.pull(way, second).contains(digest))

            #expect(try site.delete(second) == 202)
            #expect(try client.pull(way, second).isEmpty, "it is deleted")
            #expect(try client.pull(way, first).contains(digest), "the other name has it still")
        }
    }
}
