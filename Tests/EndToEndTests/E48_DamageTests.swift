import TestSupport
import Testing

/// Stored files that are no longer what was stored (INT-9, INT-10, P4; issue 3, done when 4).
@Suite("E48 damage", .realParts)
struct E48_DamageTests {
    /// Around the 256 KiB up to which a body is verified before its status line, and above.
    private static let sizes: [Int64] = [
        1, 1000, 40_000, 262_144, 262_145, 300_000, 1_500_000, 5_000_000,
    ]

    /// How a client asks.
    private enum Access: CaseIterable { case whole, joined, head, firstPart, lastPart, parts }

    private struct Scene {
        let upstream: LoopbackRegistry
        let blobs: [TestContent]
        let image: ImageFixture
        let configuration: DaemonConfiguration
        var generator: SeededGenerator

        init(_ seed: UInt64) throws {
            upstream = try LoopbackRegistry()
            blobs = (0..<16).map {
                TestContent(seed: 4700 + UInt64($0), size: sizes[$0 % sizes.count])
            }
            for blob in blobs { upstream.add(blob) }
            image = ImageFixture(seed: 47)
            upstream.add(image, "library/a")
            configuration = DaemonConfiguration(upstream)
            generator = SeededGenerator(seed: seed)
        }

        func puller(_ daemon: DaemonProcess) -> Puller {
            Puller(daemon, "/v2/docker.io/library/a")
        }

        func pullAll(_ daemon: DaemonProcess) throws {
            for blob in blobs { #expect(try puller(daemon).get(blob).isRight) }
            #expect(try puller(daemon).pull(image) == [])
            // The last commits are a moment behind the bodies.
            let files = blobs + image.blobs + image.documents.map(\.content)
            #expect(poll { files.allSatisfy { Files.exists(path(daemon, $0)) } })
        }

        func path(_ daemon: DaemonProcess, _ content: TestContent) -> String {
            daemon.path(of: content)
        }

        /// Whether the file is in its place again with the right bytes.
        func isWhole(_ daemon: DaemonProcess, _ content: TestContent) -> Bool {
            guard let bytes = try? Files.read(path(daemon, content)) else { return false }
            return bytes.withUnsafeBytes { content.matches($0, at: 0) }
                && bytes.count == Int(content.size)
        }
    }

    /// A daemon that has one blob.
    private struct Stored {
        let upstream: LoopbackRegistry
        let daemon: DaemonProcess
        let blob: TestContent
        /// Of the blob's file.
        let path: String
        var puller: Puller { Puller(daemon, "/v2/docker.io/library/a") }

        init(_ blob: TestContent) throws {
            self.blob = blob
            upstream = try LoopbackRegistry()
            upstream.add(blob)
            daemon = try DaemonProcess(DaemonConfiguration(upstream))
            path = daemon.path(of: blob)
            #expect(try puller.get(blob).isRight)
            #expect(poll { Files.exists(path) })
        }
    }

    // LOC-2: a symbolic link is damage like any other. `CISTERN_TEST_LONG=1`: 1,100; else 60.
    @Test(.wholeMachine) func whatIsDamagedWhileItIsServedIsFoundAndHealed() throws {
        let seed = SeededGenerator.seedOfThisRun()
        print("E48: CISTERN_TEST_SEED=\(seed)")
        var scene = try Scene(seed)
        let daemon = try DaemonProcess(scene.configuration)
        try scene.pullAll(daemon)
        var found = 0.0
        for round in 0..<(isLongRun ? 1100 : 60) {
            let kinds = FileDamage.allCases
            let kind = kinds[round % kinds.count]
            let access = Access.allCases.randomElement(using: &scene.generator) ?? .whole
            let blob = scene.blobs.randomElement(using: &scene.generator) ?? scene.blobs[0]
            let what: Comment = "seed \(seed), round \(round): \(kind), \(access), \(blob.size)"
            let before = scene.upstream.count(blob.digest, method: "GET")
            try kind.happen(to: scene.path(daemon, blob), &scene.generator)
            try ask(scene.puller(daemon), blob, access, what)
            try expectRight(scene.puller(daemon).get(blob), what)
            #expect(poll { scene.isWhole(daemon, blob) }, what)
            // Readers and the healing share one transfer.
            let fetched = scene.upstream.count(blob.digest, method: "GET") - before
            #expect(fetched == (kind.isHarmless ? 0 : 1), what)
            found += kind.isHarmless ? 0 : 1
            #expect(try daemon.metricSum("cistern_store_damaged_total") == found, what)
        }
        PromiseReport.add(
            "P4", "damages of stored files while they are served",
            figure: "\(Int(found)) found and healed", bound: "all", held: found > 0)
        #expect(try daemon.metricSum("cistern_store_size_bytes") > 0)
        #expect(daemon.stop() == .exited(0))
    }

    // `CISTERN_TEST_LONG=1`: 20 starts; else 2.
    @Test(.wholeMachine) func whatIsDamagedBeforeTheStartIsFoundAndHealed() throws {
        let seed = SeededGenerator.seedOfThisRun()
        print("E48: CISTERN_TEST_SEED=\(seed)")
        var scene = try Scene(seed)
        var daemon = try DaemonProcess(scene.configuration)
        try scene.pullAll(daemon)
        let documents = scene.image.documents.map(\.content)
        for round in 0..<(isLongRun ? 20 : 2) {
            #expect(daemon.stop() == .exited(0))
            var found = 0.0
            for content in scene.blobs + documents {
                let kind = FileDamage.allCases.randomElement(using: &scene.generator) ?? .remove
                try kind.happen(to: scene.path(daemon, content), &scene.generator)
                found += kind.isHarmless ? 0 : 1
            }
            daemon = try DaemonProcess(scene.configuration, home: daemon.home)
            let what: Comment = "seed \(seed), round \(round)"
            for blob in scene.blobs {
                let access = Access.allCases.randomElement(using: &scene.generator) ?? .whole
                try ask(scene.puller(daemon), blob, access, what)
                try expectRight(scene.puller(daemon).get(blob), what)
            }
            #expect(try scene.puller(daemon).pull(scene.image) == [], what)
            #expect(
                poll { (scene.blobs + documents).allSatisfy { scene.isWhole(daemon, $0) } }, what)
            #expect(try daemon.metricSum("cistern_store_damaged_total") == found, what)
        }
    }

    // Nobody has to ask again for it.
    @Test func aDamagedBlobIsHealedAlthoughItsClientGaveUp() throws {
        let stored = try Stored(TestContent(seed: 471, size: 3 << 20))
        var generator = SeededGenerator(seed: 1)
        try FileDamage.flipLast.happen(to: stored.path, &generator)
        #expect(try stored.puller.get(stored.blob).ending == .short)
        #expect(stored.upstream.await(2, stored.blob.digest, method: "GET"))
        #expect(poll { (try? Files.read(stored.path)) == stored.blob.bytes })
        // INT-4: nobody completes what was cut by the rest of another.
        let rest = try RawClient.request(
            stored.puller.address, stored.puller.blob(stored.blob),
            fields: [("Range", "bytes=1000-")])
        #expect(rest.status == 502)
        stored.upstream.stop()
        #expect(try stored.puller.get(stored.blob).isRight)
    }

    // INT-9: changed under a body that is being sent.
    @Test func whatIsChangedWhileItIsSentDoesNotComplete() throws {
        let stored = try Stored(TestContent(seed: 472, size: 24 << 20))
        for kind in [FileDamage.flipMiddle, .truncate, .empty, .flipLast] {
            var generator = SeededGenerator(seed: 2)
            var isDone = false
            let client = try RawClient(stored.puller.address, receiveBuffer: 64 << 10)
            let answer = try client.request(
                stored.puller.blob(stored.blob), sink: .compare(stored.blob)
            ) { bytes in
                if bytes > 1 << 20, !isDone {
                    isDone = true
                    try kind.happen(to: stored.path, &generator)
                }
                return true
            }
            #expect(answer.ending == .short, "\(kind)")
            #expect(try poll { try stored.puller.get(stored.blob).isRight }, "\(kind)")
            #expect(poll { (try? Files.read(stored.path)) == stored.blob.bytes }, "\(kind)")
        }
    }

    private func expectRight(_ answer: WireResponse, _ what: Comment) {
        #expect(answer.isRight, "\(what): \(answer)")
    }

    /// Asks in one way and sees that nothing wrong completes; what is small has to be right.
    private func ask(
        _ puller: Puller, _ blob: TestContent, _ access: Access, _ what: Comment
    ) throws {
        let isSmall = blob.size <= 256 << 10
        switch access {
        case .whole:
            let answer = try puller.get(blob)
            #expect(!answer.isCompleteButWrong, what)
            if isSmall { #expect(answer.isRight, what) }
        case .joined:
            let answers = try concurrently(4) { _ in try puller.get(blob) }
            for answer in answers {
                #expect(!answer.isCompleteButWrong, what)
                if isSmall { #expect(answer.isRight, what) }
            }
        case .head:
            let answer = try RawClient.request(puller.address, puller.blob(blob), method: "HEAD")
            #expect(answer.status == 200 && answer.contentLength == blob.size, what)
            #expect(try !puller.get(blob).isCompleteButWrong, what)
        case .firstPart:
            try part(puller, blob, 0..<max(1, blob.size / 3), what)
        case .lastPart:
            try part(puller, blob, (blob.size / 2)..<blob.size, what)
        case .parts:
            try part(puller, blob, (blob.size / 3)..<max(blob.size / 3 + 1, blob.size / 2), what)
        }
    }

    private func part(
        _ puller: Puller, _ blob: TestContent, _ range: Range<Int64>, _ what: Comment
    ) throws {
        let answer = try RawClient.request(
            puller.address, puller.blob(blob),
            fields: [("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")])
        if answer.status == 502 {
            // INT-4, from the last time that this blob was damaged: nobody has looked yet.
            #expect(try !puller.get(blob).isCompleteButWrong, what)
        }
        guard answer.status == 206, answer.ending == .complete else { return }
        #expect(answer.body == blob.bytes(in: range), what)
    }
}
