import TestSupport
import Testing

/// The disk limit is a limit, and eviction keeps images whole (design.md §5; done when 5).
@Suite("E40 store", .realParts)
struct E40_StoreTests {
    private static let mebibyte: Int64 = 1 << 20

    // `CISTERN_TEST_LONG=1`: 3 GiB through 500 MiB; else 600 MiB through 100 MiB.
    @Test(.wholeMachine) func theStoreIsNeverOverItsLimit() throws {
        let limit: Int64 = (isLongRun ? 500 : 100) * Self.mebibyte
        let total: Int64 = (isLongRun ? 3072 : 600) * Self.mebibyte
        let upstream = try LoopbackRegistry(.dockerHub)
        upstream.state.with { $0.rateLimit = 10_000 }
        let layer = limit / 16
        let images = (0..<Int(total / (layer * 3))).map { number in
            ImageFixture(
                seed: UInt64(4000 + number), layerSizes: [layer, layer, layer],
                architectures: ["amd64"])
        }
        for (number, image) in images.enumerated() { upstream.add(image, "library/i\(number)") }
        let daemon = try DaemonProcess(
            DaemonConfiguration(upstream, cache: "max_size = \"\(limit >> 20)MiB\""))
        let sampler = DiskUsageSampler(daemon.storePath)
        for (number, image) in images.enumerated() {
            let puller = Puller(daemon, "/v2/docker.io/library/i\(number)")
            let answers = try concurrently(3) { try puller.get(image.blobs[$0 + 1]) }
            #expect(answers.allSatisfy { $0.isRight }, "image \(number)")
            #expect(try puller.pull(image) == [], "image \(number)")
        }
        let most = sampler.stop()
        print("E40: most \(most >> 20) of \(limit >> 20) MiB in \(sampler.samples) samples")
        #expect(most <= limit)
        upstream.stop()
        let last = images.count - 1
        #expect(try Puller(daemon, "/v2/docker.io/library/i\(last)").pull(images[last]) == [])
        // The store was used, not just emptied.
        #expect(most > limit / 2)
        #expect(try daemon.metricSum("cistern_store_size_bytes") <= Double(limit))
    }

    // design.md §5: what cannot fit is streamed through, verified, and not kept.
    @Test func aBlobLargerThanTheStoreIsPassedThrough() throws {
        let upstream = try LoopbackRegistry()
        let big = TestContent(seed: 41, size: 40 * Self.mebibyte)
        let small = TestContent(seed: 42, size: Self.mebibyte)
        upstream.add(big)
        upstream.add(small)
        let daemon = try DaemonProcess(DaemonConfiguration(upstream, cache: #"max_size = "20MiB""#))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let sampler = DiskUsageSampler(daemon.storePath)
        #expect(try puller.get(small).isRight)
        #expect(try puller.get(big).isRight)
        #expect(sampler.stop() <= 20 * Self.mebibyte)
        upstream.inject(.flip(at: big.size - 1), on: big.digest)
        #expect(try !puller.get(big).isCompleteButWrong)
        #expect(try puller.get(small).isRight)
    }

    // DUR-6, RES-9: nobody knew that it would not fit. Who reads it by then goes on without the
    // store, and from then on it is known.
    @Test func aBlobOfUnknownSizeThatOutgrowsTheStoreIsPassedThrough() throws {
        let upstream = try LoopbackRegistry()
        let big = TestContent(seed: 44, size: 40 * Self.mebibyte)
        upstream.add(big)
        upstream.inject(.framing(.chunked), on: big.digest)
        let daemon = try DaemonProcess(DaemonConfiguration(upstream, cache: #"max_size = "20MiB""#))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let sampler = DiskUsageSampler(daemon.storePath)
        let answers = try concurrently(3) { _ in try puller.get(big) }
        #expect(answers.allSatisfy { $0.isRight }, "\(answers)")
        #expect(try puller.get(big).isRight)
        // What was begun is gone with its last reader, its space and its descriptor, too.
        #expect(poll { daemon.unlinkedCount == 0 }, "\(daemon.unlinkedCount)")
        #expect(sampler.stop() <= 20 * Self.mebibyte)
    }

    // INT-1: that way on is no way around the digest, wherever the wrong byte is.
    @Test(arguments: [1000, 39 << 20, (40 << 20) - 1])
    func aBlobThatOutgrowsTheStoreIsNoLessVerified(wrongByte: Int64) throws {
        let upstream = try LoopbackRegistry()
        let big = TestContent(seed: 45, size: 40 * Self.mebibyte)
        upstream.add(big)
        upstream.inject(.framing(.chunked), .flip(at: wrongByte), on: big.digest)
        let daemon = try DaemonProcess(DaemonConfiguration(upstream, cache: #"max_size = "20MiB""#))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        let answers = try concurrently(2) { _ in try puller.get(big) }
        for answer in answers {
            #expect(!answer.isCompleteButWrong && answer.ending != .complete, "\(answer)")
        }
    }

    // INT-10: a file that is gone or cut is a miss.
    @Test func aDamagedFileIsFetchedAgain() throws {
        let upstream = try LoopbackRegistry()
        let blobs = (0..<3).map { TestContent(seed: UInt64(430 + $0), size: 2 * Self.mebibyte) }
        for blob in blobs { upstream.add(blob) }
        let configuration = DaemonConfiguration(upstream)
        let first = try DaemonProcess(configuration)
        let puller = Puller(first, "/v2/docker.io/library/a")
        for blob in blobs { #expect(try puller.get(blob).isRight) }
        #expect(first.stop() == .exited(0))
        func path(_ blob: TestContent) -> String? {
            let hex = blob.digest.dropFirst(7)
            return Files.walk(first.storePath).first { $0.path.hasSuffix("/\(hex)") }?.path
        }
        let (gone, cut) = (try #require(path(blobs[0])), try #require(path(blobs[1])))
        Files.removeTree(gone)
        try Files.write(cut, blobs[1].bytes(in: 0..<Self.mebibyte))
        let second = try DaemonProcess(configuration, home: first.home)
        let again = Puller(second, "/v2/docker.io/library/a")
        let before = upstream.count()
        for blob in blobs { #expect(try again.get(blob).isRight) }
        #expect(upstream.count() == before + 2)
    }

    // DUR-8
    @Test func aSecondDaemonOnOneStoreEndsWith75() throws {
        let upstream = try LoopbackRegistry()
        let first = try DaemonProcess(DaemonConfiguration(upstream))
        let second = try Command.run(
            try DaemonProcess.binary(),
            ["serve", "--config", first.configurationFile] + DaemonProcess.rootArguments,
            within: .seconds(20))
        #expect(second.code == 75, "\(second)")
        #expect(
            second.stderr.split(separator: "\n").contains {
                $0.contains("lock") || $0.contains("in use") || $0.contains("another")
            })
        #expect(try RawClient.request(first.address, "/v2/").status == 200)
    }

    // LOC-1
    @Test func theStoreIsPrivate() throws {
        let upstream = try LoopbackRegistry()
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let output = try Command.succeed("stat", ["-c", "%a", daemon.storePath])
        #expect(output.stdout.hasPrefix("700"))
    }

    // DUR-6, P5: somebody else fills the disk, and empties it again.
    @Test func aDiskFilledBySomebodyElseIsUsedAgainSoonAfter() throws {
        let upstream = try LoopbackRegistry()
        let blobs = (0..<4).map { TestContent(seed: UInt64(490 + $0), size: 2 * Self.mebibyte) }
        for blob in blobs { upstream.add(blob) }
        let (daemon, mounted) = try onSmallDisk(upstream, minFree: "4MiB")
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        #expect(try puller.get(blobs[0]).isRight)
        #expect(try poll { try daemon.metricSum("cistern_fetches_in_flight") == 0 })
        let filler = "\(mounted)/filler"
        // Until there is no room.
        #expect(throws: TestFailure.self) {
            try Files.write(filler, TestContent(seed: 1, size: 64 * Self.mebibyte))
        }
        for _ in 0..<2 {
            for blob in blobs { #expect(try puller.get(blob).isRight) }
        }
        // What was kept before is still served from here, whatever the index cannot write.
        #expect(upstream.count(blobs[0].digest) == 1)
        #expect(try RawClient.request(daemon.admin, "/healthz").status == 200)
        Files.removeTree(filler)
        let isKept = try poll(within: .seconds(5)) { () throws -> Bool in
            #expect(try puller.get(blobs[1]).isRight)
            let before = upstream.count(blobs[1].digest)
            #expect(try puller.get(blobs[1]).isRight)
            return upstream.count(blobs[1].digest) == before
        }
        #expect(isKept)
        // `min_free` is left to the others.
        for blob in blobs { #expect(try puller.get(blob).isRight) }
        #expect(Files.diskUsage(mounted) <= 20 * Self.mebibyte)
    }

    /// A daemon whose store is a file system of 24 MiB, and where that is to be seen from here.
    private func onSmallDisk(
        _ upstream: LoopbackRegistry, minFree: String
    ) throws -> (DaemonProcess, String) {
        let home = try TemporaryDirectory()
        let store = try home.directory("store")
        let mounted = "mount -t tmpfs -o size=24m,mode=0700 tmpfs \(store) && exec \"$0\" \"$@\""
        let daemon = try DaemonProcess(
            DaemonConfiguration(
                upstream, cache: "max_size = \"1GiB\"\nmin_free = \"\(minFree)\""),
            home: home,
            wrapper: [
                try requireTool("unshare"), "--map-root-user", "--mount", "sh", "-c", mounted,
            ])
        return (daemon, "/proc/\(daemon.identifier)/root\(store)")
    }

    // DUR-6, P5, protocol.md §10.4.18: the file system itself is full.
    @Test func aFullDiskFailsNoPull() throws {
        let upstream = try LoopbackRegistry()
        let blobs = (0..<8).map { TestContent(seed: UInt64(480 + $0), size: 6 * Self.mebibyte) }
        for blob in blobs { upstream.add(blob) }
        let (daemon, _) = try onSmallDisk(upstream, minFree: "1KiB")
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        for round in 0..<2 {
            for blob in blobs { #expect(try puller.get(blob).isRight, "round \(round)") }
        }
        let answers = try concurrently(8) { try puller.get(blobs[$0]) }
        let failed = answers.count { !$0.isRight }
        PromiseReport.add(
            "P5", "pulls through a full disk", figure: "\(failed) of \(answers.count) failed",
            bound: "0", held: failed == 0)
        #expect(failed == 0)
        #expect(try RawClient.request(daemon.admin, "/healthz").status == 200)
    }
}
