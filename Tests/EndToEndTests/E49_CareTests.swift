import Glibc
import TestSupport
import Testing

/// What an operator does with the running daemon, and what it does by itself: verify, scrub, pin.
@Suite("E49 verify, scrub, pins", .realParts)
struct E49_CareTests {
    private struct Scene {
        let upstream: LoopbackRegistry
        let image: ImageFixture
        let daemon: DaemonProcess
        var puller: Puller { Puller(daemon, "/v2/docker.io/library/a") }

        init(cache: String = "", layers: [Int64] = [40_000, 2_000_000]) throws {
            image = ImageFixture(seed: 49, layerSizes: layers)
            upstream = try LoopbackRegistry()
            upstream.add(image, "library/a")
            daemon = try DaemonProcess(DaemonConfiguration(upstream, cache: cache))
            #expect(try puller.pull(image) == [])
            let all = image.blobs + image.documents.map(\.content)
            #expect(poll { all.allSatisfy { Files.exists(path($0)) } })
        }

        func path(_ content: TestContent) -> String {
            daemon.path(of: content)
        }

        func cistern(_ arguments: String...) throws -> Command.Output {
            try Command.run(
                try DaemonProcess.binary(), arguments + ["-c", daemon.configurationFile],
                within: .seconds(60))
        }
    }

    @Test func verifyFindsDamageWhileTheDaemonServes() throws {
        let scene = try Scene()
        let clean = try scene.cistern("verify")
        #expect(clean.code == 0, "\(clean)")
        let objects = scene.image.blobs.count + scene.image.documents.count
        #expect(clean.stdout.contains("done: ok=\(objects) damaged=0 missing=0"), "\(clean)")
        var generator = SeededGenerator(seed: 3)
        // Not the index of the image, which the daemon's look at itself may be the first to find.
        let manifest = scene.image.platforms[0].manifest.content
        let victims = [scene.image.blobs[1], manifest, scene.image.blobs[2]]
        for (kind, victim) in zip([FileDamage.flipMiddle, .flipLast, .remove], victims) {
            try kind.happen(to: scene.path(victim), &generator)
        }
        let found = try scene.cistern("verify", "--all", "--rate", "100MiB/s")
        #expect(found.code == 1, "\(found)")
        #expect(found.stdout.contains("damaged \(victims[0].digest)"), "\(found)")
        #expect(found.stdout.contains("damaged \(victims[1].digest)"), "\(found)")
        #expect(found.stdout.contains("missing \(victims[2].digest)"), "\(found)")
        // Fetched again without anybody pulling.
        #expect(
            poll {
                victims.allSatisfy { (try? Files.read(scene.path($0))) == $0.bytes }
            })
        #expect(try scene.puller.pull(scene.image) == [])
        #expect(try scene.cistern("verify", "docker.io/library/a:latest").code == 0)
        #expect(try scene.cistern("verify", "docker.io/a").code == 0)
        let unknown = try scene.cistern("verify", "docker.io/library/b:1")
        #expect(unknown.code == 1 && unknown.stderr.contains("not stored"), "\(unknown)")
    }

    // INT-10: the daemon goes the way of a hit every few seconds, with what was used last.
    @Test(arguments: [FileDamage.flipLast, .remove])
    func whatTheDaemonMeetsItself_isFetchedAgain(damage: FileDamage) throws {
        let scene = try Scene()
        var generator = SeededGenerator(seed: 4)
        let index = scene.image.index.content
        try damage.happen(to: scene.path(index), &generator)
        #expect(poll { scene.daemon.log.contains("missing or damaged") })
        #expect(poll { (try? Files.read(scene.path(index))) == index.bytes })
        #expect(try scene.puller.pull(scene.image) == [])
    }

    // LOC-4
    @Test func commandsAreForTheOwnerAlone_andNeedADaemon() throws {
        let scene = try Scene()
        var status = stat()
        let socket = "\(scene.daemon.storePath)/admin.sock"
        #expect(lstat(socket, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        for target in ["/verify", "/pin?ref=docker.io/a", "/unpin?ref=docker.io/a", "/pins"] {
            for address in [scene.daemon.address, scene.daemon.admin] {
                let answer = try RawClient.request(address, target, method: "POST")
                #expect(answer.status >= 400, "\(target)")
            }
        }
        // What a killed daemon left is replaced; what a stopped one had is gone.
        scene.daemon.kill()
        let stale = try scene.cistern("verify")
        #expect(stale.code == 69 && stale.stderr.contains("that made it is gone"), "\(stale)")
        let second = try DaemonProcess(
            DaemonConfiguration(scene.upstream), home: scene.daemon.home)
        #expect(try scene.cistern("verify").code == 0)
        #expect(second.stop() == .exited(0))
        #expect(lstat(socket, &status) != 0)
        let none = try scene.cistern("pin")
        #expect(none.code == 69 && none.stderr.contains("no daemon runs here"), "\(none)")
        #expect(none.stderr.contains("systemctl start cistern"))
    }

    @Test func whoMayNotAsk_isToldWhoMay() throws {
        let scene = try Scene()
        let socket = "\(scene.daemon.storePath)/admin.sock"
        #expect(chmod(socket, 0) == 0)
        // Root may open whatever there is.
        let user = geteuid() == 0 ? [try requireTool("setpriv"), "--reuid=65534"] : []
        let command = user + [try DaemonProcess.binary(), "pin", "ls"]
        let denied = try Command.run(
            command[0], Array(command.dropFirst()),
            environment: [
                "CISTERN__ADMIN__SOCKET": socket, "CISTERN__CACHE__PATH": scene.daemon.storePath,
            ])
        #expect(denied.code == 77 && denied.stderr.contains("sudo"), "\(denied)")
    }

    // What systemd made for the service is where commands look when they are not told otherwise.
    @Test func theSocketIsInTheServicesDirectory() throws {
        let upstream = try LoopbackRegistry()
        let home = try TemporaryDirectory()
        let environment = ["RUNTIME_DIRECTORY": home.path]
        let daemon = try DaemonProcess(
            DaemonConfiguration(upstream), home: home, environment: environment)
        var status = stat()
        #expect(lstat("\(home.path)/admin.sock", &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(lstat("\(daemon.storePath)/admin.sock", &status) != 0)
        let arguments = ["verify", "-c", daemon.configurationFile]
        let binary = try DaemonProcess.binary()
        #expect(try Command.run(binary, arguments, environment: environment).code == 0)
        #expect(daemon.stop() == .exited(0))
        #expect(lstat("\(home.path)/admin.sock", &status) != 0)
    }

    // A daemon that dies has not verified anything.
    @Test func anAnswerWithoutAnEndIsNoSuccess() throws {
        let scene = try Scene(layers: [2000, 3000])
        let (binary, file) = (try DaemonProcess.binary(), scene.daemon.configurationFile)
        let before = try scene.daemon.metricSum("cistern_verified_blobs_total")
        let command = TestThread {
            try? Command.run(binary, ["verify", "--rate", "1KiB", "-c", file])
        }
        #expect(
            poll {
                (try? scene.daemon.metricSum("cistern_verified_blobs_total")) ?? 0 > before
            })
        scene.daemon.kill()
        let output = try #require(try command.value())
        #expect(output.code == 69 && output.stderr.contains("went away"), "\(output)")
    }

    @Test func theScrubFindsDamageThatNobodyAsksFor() throws {
        let scene = try Scene(cache: "verify = \"1s\"\nverify_rate = \"100MiB\"")
        let victim = scene.image.blobs[2]
        var generator = SeededGenerator(seed: 4)
        try FileDamage.flipAnywhere.happen(to: scene.path(victim), &generator)
        #expect(
            poll { (try? Files.read(scene.path(victim))) == victim.bytes },
            "\(scene.daemon.log.suffix(1000))")
        #expect(try scene.daemon.metricSum("cistern_store_damaged_total") == 1)
        #expect(try scene.daemon.metricSum("cistern_scrubbed_bytes_total") > 0)
    }

    @Test func aPinMayEndAndSayWhatItIsFor() throws {
        let scene = try Scene()
        let image = "docker.io/library/a:latest"
        let taken = try scene.cistern(
            "pin", "--until", "90d", "--note", "für die Messe & danach", image)
        #expect(taken.code == 0, "\(taken)")
        let line = try scene.cistern("pin", "ls").stdout
        #expect(line.hasPrefix("\(image)  until 20"), "\(line)")
        #expect(line.hasSuffix("Z  für die Messe & danach\n"), "\(line)")
        let mistakes = [
            ["--until", "soon", image], ["--until", "0s", image], ["--note", "x"],
            ["--note", "two\nlines", image],
            ["--note", String(repeating: "x", count: 201), image],
        ]
        for wrong in mistakes {
            let output = try Command.run(
                try DaemonProcess.binary(),
                ["pin"] + wrong + ["-c", scene.daemon.configurationFile])
            #expect(output.code == 64 && output.stderr.contains("fix:"), "\(output)")
        }
        // The later one counts; it has no end.
        #expect(try scene.cistern("pin", image).code == 0)
        #expect(try scene.cistern("pin", "ls").stdout == "\(image)\n")
    }

    @Test func whatIsPinnedIsNeverEvicted() throws {
        let upstream = try LoopbackRegistry()
        let images = (0..<6).map {
            ImageFixture(
                seed: UInt64(4900 + $0), layerSizes: [5_000_000], architectures: ["amd64"])
        }
        for (number, image) in images.enumerated() { upstream.add(image, "library/i\(number)") }
        let configuration = DaemonConfiguration(upstream, cache: "max_size = \"14MiB\"")
        var daemon = try DaemonProcess(configuration)
        func cistern(_ arguments: String...) throws -> Command.Output {
            try Command.run(
                try DaemonProcess.binary(), arguments + ["-c", daemon.configurationFile],
                within: .seconds(60))
        }
        // Fetched by the pin itself, under the name that Docker Hub's users write.
        let pinned = try cistern("pin", "docker.io/i0:latest")
        #expect(pinned.code == 0, "\(pinned)")
        for list in [["pin"], ["pin", "ls"]] {
            let output = try Command.run(
                try DaemonProcess.binary(), list + ["-c", daemon.configurationFile])
            #expect(output.stdout == "docker.io/library/i0:latest\n", "\(output)")
        }
        for round in 0..<2 {
            for number in 1..<6 {
                let puller = Puller(daemon, "/v2/docker.io/library/i\(number)")
                #expect(try puller.pull(images[number]) == [], "round \(round)")
            }
            #expect(daemon.stop() == .exited(0))
            daemon = try DaemonProcess(configuration, home: daemon.home)
        }
        #expect(poll { (try? daemon.metricSum("cistern_store_pinned_bytes")) ?? 0 > 5_000_000 })
        upstream.stop()
        #expect(try Puller(daemon, "/v2/docker.io/library/i0").pull(images[0]) == [])
        let unknown = try cistern("pin", "nowhere.example/x:1")
        #expect(unknown.code == 1 && unknown.stderr.contains("names no image"), "\(unknown)")
        try upstream.start()
        #expect(try cistern("unpin", "docker.io/library/i0:latest").code == 0)
        #expect(try cistern("unpin", "docker.io/library/i0:latest").code == 1)
        for number in 1..<6 {
            let puller = Puller(daemon, "/v2/docker.io/library/i\(number)")
            #expect(try puller.pull(images[number]) == [])
        }
        upstream.stop()
        #expect(try Puller(daemon, "/v2/docker.io/library/i0").pull(images[0]) != [])
    }
}
