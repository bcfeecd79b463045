import TestSupport
import Testing

/// Files of a hosted repository that rot: found, not served, told of, and whole again by a push
/// (INT-9, INT-10).
@Suite("E88 hosted damage", .realParts)
struct E88_HostedDamageTests {
    private static let lease = "collect = \"1s\"\nlease = \"5s\""

    private func image(_ seed: UInt64) -> (blobs: [TestContent], manifest: TestContent) {
        let blobs = [300, 900_000].enumerated().map { order, size in
            TestContent(seed: seed &* 100 &+ UInt64(order), size: Int64(size))
        }
        return (blobs, TestContent(HostedScene.manifest(blobs.map(\.bytes))))
    }

    private func push(
        _ scene: HostedScene, _ image: (blobs: [TestContent], manifest: TestContent)
    ) throws {
        for blob in image.blobs {
            #expect(try scene.push("team/app", blob: blob.bytes).status == 201)
        }
        let answer = try scene.push("team/app", manifest: image.manifest.bytes, as: "v1")
        #expect(answer.status == 201)
    }

    @Test(arguments: [FileDamage.flipMiddle, .truncate, .remove])
    func aRottenLayerIsNotServedAndToldOf(damage: FileDamage) throws {
        let scene = try HostedScene()
        let image = image(880)
        try push(scene, image)
        var generator = SeededGenerator(seed: SeededGenerator.seedOfThisRun())
        let layer = image.blobs[1]
        try damage.happen(to: scene.daemon.path(of: layer), &generator)
        let target = scene.target("team/app", "blobs/\(layer.digest)")
        // As after any restart, nothing is believed.
        try scene.restart(killing: false)
        let first = try RawClient.request(scene.address, target, sink: .compare(layer))
        #expect(!first.isCompleteButWrong && !first.isRight)
        #expect(scene.daemon.awaitLog("push it again"))
        let line = scene.daemon.log.split(separator: "\n").first { $0.contains("push it again") }
        #expect(logValue("repo", in: line ?? "") == "releases")
        #expect(logValue("name", in: line ?? "") == "team/app")
        #expect(logValue("digest", in: line ?? "") == layer.digest)
        let metric = "cistern_hosted_damaged_total{repository=\"releases\"}"
        #expect(try scene.daemon.metric(metric) == 1)
        #expect(try scene.get(target).status == 404)
        // A client that pushes again is told that it is missing, and sends it.
        try push(scene, image)
        let again = try RawClient.request(scene.address, target, sink: .compare(layer))
        #expect(again.status == 200 && again.isRight)
    }

    @Test func verifySaysWhatToPushAgain() throws {
        let scene = try HostedScene()
        let image = image(881)
        try push(scene, image)
        func verify(_ arguments: [String]) throws -> Command.Output {
            try Command.run(
                DaemonProcess.binary(),
                ["verify", "--config", scene.daemon.configurationFile] + arguments)
        }
        let whole = try verify(["releases/team/app:v1"])
        #expect(whole.code == 0 && whole.stdout.contains("ok=3"), "\(whole)")
        var generator = SeededGenerator(seed: SeededGenerator.seedOfThisRun())
        let layer = image.blobs[1]
        try FileDamage.flipMiddle.happen(to: scene.daemon.path(of: layer), &generator)
        let damaged = try verify(["--all"])
        #expect(damaged.code == 1, "\(damaged)")
        #expect(
            damaged.stdout.contains("damaged \(layer.digest)  push again: releases/team/app"),
            "\(damaged)")
        #expect(try verify(["releases/team/other:v1"]).code != 0)
    }

    // P12: what the manifest needs is still there when it comes back.
    @Test func aRottenManifestCostsNoLayer() throws {
        let scene = try HostedScene(cache: Self.lease)
        let image = image(882)
        try push(scene, image)
        var generator = SeededGenerator(seed: SeededGenerator.seedOfThisRun())
        try FileDamage.flipFirst.happen(to: scene.daemon.path(of: image.manifest), &generator)
        try scene.restart(killing: false)
        let target = scene.target("team/app", "manifests/v1")
        #expect(try scene.get(target).status == 404)
        #expect(scene.daemon.awaitLog("push it again"))
        // Under another name there is something without a manifest: when that has gone, leases of
        // that age are over.
        let other = TestContent(seed: 883, size: 1000)
        #expect(try scene.push("team/other", blob: other.bytes).status == 201)
        let sign = scene.target("team/other", "blobs/\(other.digest)")
        #expect(poll { (try? scene.get(sign).status) == 404 })
        for blob in image.blobs {
            let answer = try RawClient.request(
                scene.address, scene.target("team/app", "blobs/\(blob.digest)"),
                sink: .compare(blob))
            #expect(answer.status == 200 && answer.isRight, "\(answer)")
        }
        let again = try scene.push("team/app", manifest: image.manifest.bytes, as: "v1")
        #expect(again.status == 201)
        #expect(try scene.get(target).body == image.manifest.bytes)
    }

    @Test func whatIsFullCanBeEmptied() throws {
        let scene = try HostedScene(cache: "max_size = \"16MiB\"\nmin_free = \"1MiB\"")
        var pushed: [String] = []
        var status = 201
        for number in 0..<40 where status == 201 {
            let blob = TestContent(seed: 886_000 + UInt64(number), size: 1 << 20)
            status = try scene.push("team/app", blob: blob.bytes).status
            if status == 201 { pushed.append(blob.digest) }
        }
        #expect(status == 507)
        // The last bytes, too.
        for number in 0..<200 {
            let blob = TestContent(seed: 887_000 + UInt64(number), size: 100)
            if try scene.push("team/app", blob: blob.bytes).status != 201 { break }
        }
        for digest in pushed {
            let answer = try scene.request("DELETE", scene.target("team/app", "blobs/\(digest)"))
            #expect(answer.status == 202, "\(answer)")
        }
        let blob = TestContent(seed: 888_000, size: 1 << 20)
        #expect(try scene.push("team/app", blob: blob.bytes).status == 201)
    }

    @Test func aRottenManifestCanBeDeleted() throws {
        let scene = try HostedScene()
        let image = image(884)
        try push(scene, image)
        var generator = SeededGenerator(seed: SeededGenerator.seedOfThisRun())
        try FileDamage.flipFirst.happen(to: scene.daemon.path(of: image.manifest), &generator)
        try scene.restart(killing: false)
        let target = scene.target("team/app", "manifests/\(image.manifest.digest)")
        #expect(try scene.get(target).status == 404)
        #expect(scene.daemon.awaitLog("push it again"))
        #expect(try scene.request("DELETE", target).status == 202)
        #expect(try scene.request("DELETE", target).status == 404)
    }
}
