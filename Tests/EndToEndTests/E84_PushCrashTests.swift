import TestSupport
import Testing

/// kill -9 at random moments of pushes: what was acknowledged is there, whole (DUR-3, P12; issue 4,
/// done when 5).
@Suite("E84 pushes and crashes", .realParts)
struct E84_PushCrashTests {
    /// What one pusher was told is there.
    private struct Acknowledged: Sendable {
        var blobs: [(name: String, content: TestContent)] = []
        var manifests: [(name: String, tag: String, bytes: [UInt8])] = []

        mutating func add(_ other: Acknowledged) {
            blobs += other.blobs
            manifests += other.manifests
        }
    }

    /// `CISTERN_TEST_LONG=1`: 200 moments; else 8.
    private var rounds: Int { isLongRun ? 200 : 8 }

    @Test(.wholeMachine) func whatWasAcknowledgedIsThere() throws {
        let seed = SeededGenerator.seedOfThisRun()
        print("E84: CISTERN_TEST_SEED=\(seed)")
        var generator = SeededGenerator(seed: seed)
        let scene = try HostedScene()
        var all = Acknowledged()
        for round in 0..<rounds {
            let pusher = Pusher(scene)
            let acknowledged = Monitor<Int>(0)
            let threads = (0..<3).map { number in
                TestThread { () -> Acknowledged in
                    Self.pushUntilItEnds(
                        pusher, UInt64(round * 10 + number), acknowledged)
                }
            }
            let moment = Int.random(in: 0..<12, using: &generator)
            #expect(acknowledged.wait(.seconds(30)) { $0 >= moment }, "round \(round)")
            try scene.restart(killing: true)
            var found = Acknowledged()
            for thread in threads { found.add(try thread.value()) }
            try check(found, scene)
            all.add(found)
        }
        try check(all, scene)
        try expectWholeFiles(scene)
        PromiseReport.add(
            "P12", "pushed blobs and manifests lost by \(rounds) kills",
            figure: "0 of \(all.blobs.count + all.manifests.count)", bound: "0", held: true)
    }

    /// Pushes one image after another; what was answered 201.
    private static func pushUntilItEnds(
        _ pusher: Pusher, _ seed: UInt64, _ acknowledged: Monitor<Int>
    ) -> Acknowledged {
        var done = Acknowledged()
        for number in 0..<1000 {
            let name = "app/\(seed)"
            let contents = (0..<3).map { order in
                TestContent(
                    seed: seed &* 100_000 &+ UInt64(number * 10 + order),
                    size: [100, 20_000, 400_000][order])
            }
            for content in contents {
                guard pusher.push(name, content) else { return done }
                done.blobs.append((name, content))
                acknowledged.with { $0 += 1 }
            }
            let manifest = HostedScene.manifest(contents.map(\.bytes))
            guard pusher.push(name, manifest, "v\(number)") else { return done }
            done.manifests.append((name, "v\(number)", manifest))
            acknowledged.with { $0 += 1 }
        }
        return done
    }

    private func check(_ acknowledged: Acknowledged, _ scene: HostedScene) throws {
        for (name, content) in acknowledged.blobs {
            let answer = try RawClient.request(
                scene.address, scene.target(name, "blobs/\(content.digest)"),
                sink: .compare(content))
            #expect(answer.status == 200 && answer.isRight, "\(name) \(answer)")
        }
        for (name, tag, bytes) in acknowledged.manifests {
            let answer = try scene.get(scene.target(name, "manifests/\(tag)"))
            #expect(answer.status == 200 && answer.body == bytes, "\(name):\(tag) \(answer)")
        }
    }

    /// After a clean stop every blob file is what its name says, and no other file has been left.
    private func expectWholeFiles(_ scene: HostedScene) throws {
        #expect(scene.daemon.stop() == .exited(0))
        for file in Files.walk(scene.daemon.storePath + "/blobs") where !file.isDirectory {
            let name = file.path.split(separator: "/").last.map(String.init) ?? ""
            // One that was on its way into the store is kept for a day, for a fetch to go on with.
            if name.contains(".") { continue }
            #expect(MessageDigest.of(try Files.read(file.path)) == "sha256:\(name)")
        }
    }
}

/// Pushes over the wire from any thread; false once the daemon is gone.
private struct Pusher: Sendable {
    let address: String
    let base: String

    init(_ scene: HostedScene) {
        address = scene.address
        base = scene.base
    }

    func push(_ name: String, _ content: TestContent) -> Bool {
        guard
            let opened = request("POST", "\(base)\(name)/blobs/uploads/", []),
            opened.status == 202, let location = opened["Location"],
            let written = request("PATCH", location, content.bytes), written.status == 202,
            let closed = request("PUT", "\(location)?digest=\(content.digest)", [])
        else { return false }
        return closed.status == 201
    }

    func push(_ name: String, _ manifest: [UInt8], _ tag: String) -> Bool {
        request("PUT", "\(base)\(name)/manifests/\(tag)", manifest)?.status == 201
    }

    private func request(_ method: String, _ target: String, _ body: [UInt8]) -> WireResponse? {
        let client = try? RawClient(address)
        client?.socket.setTimeout(.seconds(20))
        return try? client?.request(
            target, method: method, fields: [HostedScene.login], body: body)
    }
}
