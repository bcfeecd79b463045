import Glibc
import TestSupport
import Testing

/// Moving in (issue 4, done when 3): `cistern copy` and `cistern migrate` against Debian's
/// `docker-registry`, scripted registries and a Nexus as far as its interface goes.
@Suite("E86 moving in", .realParts)
struct E86_MigrationTests {
    private static let imageCount = isLongRun ? 200 : 30

    /// The numbers of the report's last row: copied, skipped, failed.
    private func totals(_ output: Command.Output) -> [Int] {
        let row = output.stdout.split(separator: "\n").first { $0.hasPrefix("total ") } ?? ""
        return row.split(separator: " ").dropFirst().compactMap { Int($0) }
    }

    @Test func everythingOfARegistryIsMovedOnce() throws {
        let scene = try MoveScene(images: Self.imageCount)
        let dry = try scene.run(scene.arguments + ["--dry-run"])
        #expect(dry.code == 0, "\(dry)")
        #expect(dry.stdout.split(separator: "\n").count == scene.tagCount)
        #expect(!Files.exists(scene.state))
        let watch = Stopwatch()
        let first = try scene.run(scene.arguments)
        print("E86: \(scene.tagCount) tags moved in \(watch.elapsed)")
        #expect(first.code == 0, "\(first)")
        #expect(totals(first) == [scene.tagCount, 0, 0], "\(first)")
        #expect(try scene.differences().isEmpty)
        // A layer that images share went out once and was mounted then.
        let uploads = scene.new.daemon.log.split(separator: "\n").count {
            $0.contains("method=POST") && $0.contains("status=201")
        }
        #expect(uploads > 0)
        let second = try scene.run(scene.arguments)
        #expect(second.code == 0, "\(second)")
        #expect(totals(second) == [0, scene.tagCount, 0])
        #expect(second.stderr.contains("(0 B sent)"), "\(second)")
        // Without its state everything is compared, and there is still nothing to send.
        let third = try scene.run(scene.arguments.dropLast() + [scene.files.file("other")])
        #expect(totals(third) == [0, scene.tagCount, 0])
    }

    @Test func whatRefersToAnImageComesWithIt() throws {
        let scene = try MoveScene(images: 2)
        #expect(try scene.run(scene.arguments).code == 0)
        let tags = scene.tags["team1/app1"] ?? []
        let tag = try #require(tags.first { $0.hasPrefix("sha256-") })
        let subject = "sha256:" + tag.dropFirst(7)
        let list = try scene.new.get("/v2/releases/team1/app1/referrers/\(subject)")
        #expect(list.text.contains("application/x.signature"), "\(list.text)")
    }

    @Test func aRunThatWasKilledGoesOnWhereItWas() throws {
        let seed = SeededGenerator.seedOfThisRun()
        var random = SeededGenerator(seed: seed)
        let scene = try MoveScene(images: Self.imageCount)
        var done = 0
        for _ in 0..<3 {
            let child = try ChildProcess([try DaemonProcess.binary()] + scene.arguments)
            // So many more images, and then some part of the next ones.
            let wanted = done + 1 + Int.random(in: 1...(scene.tagCount / 4), using: &random)
            poll { lines(scene.state) > wanted || !child.isRunning }
            child.terminate()
            _ = child.wait()
            done = max(0, lines(scene.state) - 1)
        }
        let last = try scene.run(scene.arguments)
        #expect(last.code == 0, "seed \(seed): \(last)")
        let totals = totals(last)
        #expect(totals.count == 3 && totals[0] + totals[1] == scene.tagCount)
        #expect(totals[1] >= done, "seed \(seed): \(last)")
        #expect(try scene.differences().isEmpty, "seed \(seed)")
    }

    private func lines(_ path: String) -> Int {
        ((try? Files.text(path)) ?? "").split(separator: "\n").count
    }

    @Test func aRunThatIsInterruptedSaysHowToGoOn() throws {
        let upstream = try LoopbackRegistry(.plain)
        let image = ImageFixture(seed: 861)
        upstream.add(image, "a")
        let gate = Gate()
        upstream.inject(.stall(at: 10_000, gate), on: image.blobs[1].digest)
        let scene = try MoveScene(images: 0)
        let log = scene.files.file("log")
        let child = try ChildProcess(
            [
                try DaemonProcess.binary(), "copy", "-a", "\(upstream.authority)/a",
                "\(scene.new.address)/releases/a", "--dest-login", scene.files.file("login"),
            ], stderr: log)
        #expect(upstream.await(1, image.blobs[1].digest))
        child.signal(SIGINT)
        #expect(child.wait(within: .seconds(20)) == .exited(130))
        #expect(try Files.text(log).contains("run the same command again"))
        gate.open()
    }

    @Test func anImageThatFailsIsNamedAndTheOthersAreMoved() throws {
        let scene = try MoveScene(images: 8)
        let lost = RegistryFiller.layer(3)
        try scene.old.lose(MessageDigest.of(lost))
        let output = try scene.run(scene.arguments)
        #expect(output.code == 3, "\(output)")
        #expect(totals(output) == [scene.tagCount - 1, 0, 1])
        #expect(output.stdout.contains("failed: releases/team0/app3:v3"))
        #expect(output.stdout.contains(MessageDigest.of(lost)))
        #expect(output.stdout.contains("fix:"))
        #expect(try scene.new.get("/v2/releases/team0/app3/manifests/v3").status == 404)
        // Pushed again, it is all that is left to do.
        try RegistryFiller(scene.old.address).blob("team0/app3", lost)
        let second = try scene.run(scene.arguments)
        #expect(second.code == 0, "\(second)")
        #expect(totals(second) == [1, scene.tagCount - 1, 0])
        #expect(try scene.differences().isEmpty)
    }

    // INT-1
    @Test func wrongBytesNeverArrive() throws {
        let upstream = try LoopbackRegistry(.plain)
        let image = ImageFixture(seed: 862)
        upstream.add(image, "a")
        let blob = try #require(image.blobs.max { $0.size < $1.size })
        upstream.inject(.flip(at: blob.size - 1), on: blob.digest)
        let scene = try MoveScene(images: 0)
        let output = try scene.run([
            "copy", "\(upstream.authority)/a", "\(scene.new.address)/releases/a",
            "--dest-login", scene.files.file("login"),
        ])
        #expect(output.code == 1, "\(output)")
        #expect(output.stderr.contains("its bytes are those of sha256:"))
        let answer = try scene.new.get("/v2/releases/a/blobs/\(blob.digest)")
        #expect(answer.status == 404)
        #expect(try scene.new.get("/v2/releases/a/manifests/latest").status == 404)
    }

    // UP-3, UP-6: a source that breaks off is asked for the rest, one that limits is left alone.
    @Test func whatPassesIsTriedAgain() throws {
        let upstream = try LoopbackRegistry(.dockerHub)
        let image = ImageFixture(seed: 863)
        upstream.add(image, "library/a")
        let blob = try #require(image.blobs.max { $0.size < $1.size })
        upstream.inject(.reset(at: 300_000), on: blob.digest, role: .cdn, times: 1)
        upstream.inject(
            .status(429, headers: [("Retry-After", "1")]), on: image.index.digest, times: 1)
        upstream.inject(.status(500), on: "/manifests/latest", times: 2)
        let scene = try MoveScene(images: 0)
        let watch = Stopwatch()
        let output = try scene.run([
            "copy", "http://\(upstream.authority)/library/a", "\(scene.new.address)/releases/a",
            "--dest-login", scene.files.file("login"), "--realm", upstream.realm,
        ])
        #expect(output.code == 0, "\(output)")
        #expect(watch.elapsed > .seconds(1))
        let answer = try scene.new.get("/v2/releases/a/manifests/latest")
        #expect(answer["Docker-Content-Digest"] == image.index.digest)
        let resumed = upstream.requests(blob.digest, role: .cdn).compactMap { $0["Range"] }
        #expect(!resumed.isEmpty, "the rest is asked for")
    }

    /// What the issue asks of skopeo: every image by itself, with the same digest.
    @Test func skopeoMovesThemToo() throws {
        let scene = try MoveScene(images: isLongRun ? 200 : 7)
        let policy = try scene.files.write(
            "policy.json", #"{"default":[{"type":"insecureAcceptAnything"}]}"#)
        for (name, tags) in scene.tags {
            // skopeo 1.9 drops the types of artifacts from an index, and with them its digest.
            for tag in tags where !tag.hasPrefix("sha256-") {
                try Command.succeed(
                    "skopeo",
                    [
                        "--policy", policy, "copy", "--all", "--preserve-digests",
                        "--src-tls-verify=false", "--dest-tls-verify=false", "--dest-creds",
                        "\(HostedScene.user):\(HostedScene.password)",
                        "docker://\(scene.old.address)/\(name):\(tag)",
                        "docker://\(scene.new.address)/releases/\(name):\(tag)",
                    ])
            }
        }
        #expect(try scene.differences { !$0.hasPrefix("sha256-") }.isEmpty)
        // What is left for us are the lists of referrers.
        let output = try scene.run(scene.arguments)
        #expect(output.code == 0, "\(output)")
        #expect(try scene.differences().isEmpty)
    }

    // TLS-1, TLS-2
    @Test func anAuthorityOfOnesOwnIsTrustedIfItIsNamed() throws {
        let authority = try TestAuthority()
        let old = try LoginScene(tls: authority)
        let scene = try MoveScene(images: 0)
        let copy = [
            "copy", "--dest-login", scene.files.file("login"),
            "https://\(old.daemon.address)/docker.io/library/a:latest",
            "\(scene.new.address)/releases/a:latest",
        ]
        let refused = try scene.run(copy)
        #expect(refused.code == 69, "\(refused)")
        #expect(refused.stderr.contains("--ca FILE"))
        let output = try scene.run(copy + ["--ca", authority.certificate])
        #expect(output.code == 0, "\(output)")
        let answer = try scene.new.get("/v2/releases/a/manifests/latest")
        #expect(answer["Docker-Content-Digest"] == old.image.index.digest)
    }

    @Test func oneImageIsCopiedUnderAnotherName() throws {
        let scene = try MoveScene(images: 1)
        let copy = ["copy", "--dest-login", scene.files.file("login")]
        let target = "\(scene.new.address)/releases/x"
        let source = "\(scene.old.address)/team0/app0:v0"
        #expect(try scene.run(copy + [source, "\(target):1"]).code == 0)
        let whole = try scene.new.get("/v2/releases/x/manifests/1")
        #expect(whole.text.contains("\"manifests\""))
        // Another tag of the same image, by its digest.
        let digest = try #require(whole["Docker-Content-Digest"])
        let byDigest = "\(scene.old.address)/team0/app0@\(digest)"
        #expect(try scene.run(copy + [byDigest, "\(target):2"]).code == 0)
        #expect(try scene.new.get("/v2/releases/x/manifests/2").body == whole.body)
        // Without a repository in front it goes through the group.
        let group = "\(scene.new.address)/team/app:3"
        #expect(try scene.run(copy + [source, group]).code == 0)
        #expect(try scene.new.get("/v2/releases/team/app/manifests/3").body == whole.body)
        let missing = try scene.run(copy + ["\(scene.old.address)/team0/app0:no", target])
        #expect(missing.code == 1)
        #expect(missing.stderr.contains("404"))
        let none = try scene.run(["copy", source, "\(target):3"])
        #expect(none.code == 77, "\(none)")
        #expect(none.stderr.contains("--dest-login"))
        // A list of images, each under its own name; a tag that is there is left.
        let list = try scene.files.write("list", "# all\n\(source)\n\n\(byDigest) # again\n")
        let listed = try scene.run(
            copy + ["--from-file", list, "\(scene.new.address)/releases/y"])
        #expect(listed.code == 0, "\(listed)")
        #expect(try scene.new.get("/v2/releases/y/team0/app0/manifests/v0").body == whole.body)
        let other = try RegistryFiller(scene.old.address).push("team0/app0", 6)
        let newer = "\(scene.old.address)/team0/app0:\(other[0])"
        #expect(try scene.run(copy + ["-n", newer, "\(target):1"]).code == 0)
        #expect(try scene.new.get("/v2/releases/x/manifests/1").body == whole.body)
        #expect(try scene.run(copy + [newer, "\(target):1"]).code == 0)
        #expect(try scene.new.get("/v2/releases/x/manifests/1").body != whole.body)
    }
}
