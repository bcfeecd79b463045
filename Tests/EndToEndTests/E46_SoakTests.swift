import Glibc
import TestSupport
import Testing

/// Pulls of more images than fit, for a while: what is evicted comes back whole, and nothing grows
/// (P12; RES-8).
@Suite("E46 soak", .realParts)
struct E46_SoakTests {
    /// What the clients of a soak saw.
    private struct Tally: Sendable {
        var pulls = 0
        var lost: [String] = []
        var peakDescriptors = 0
    }

    // P12, DUR-7. `CISTERN_TEST_LONG=1`: 3 h; else 15 s; `CISTERN_SOAK_SECONDS=N` says otherwise.
    @Test(.wholeMachine) func evictionNeverLosesWhatIsBeingPulled() throws {
        let seconds = environment("CISTERN_SOAK_SECONDS").flatMap { Int64($0) }
        let length = Duration.seconds(seconds ?? (isLongRun ? 10_800 : 15))
        let seed = SeededGenerator.seedOfThisRun()
        let upstream = try LoopbackRegistry()
        // 24 images of about 2 MiB that share one layer, in room for a third of them.
        let base = TestContent(seed: 46, size: 300_000).bytes
        let images = (0..<24).map { number in
            ImageFixture(
                seed: UInt64(4600 + number), layerSizes: [1 << 20, 700_000, 90_000],
                architectures: ["amd64"], busybox: base)
        }
        for (number, image) in images.enumerated() { upstream.add(image, "library/i\(number)") }
        let daemon = try DaemonProcess(
            DaemonConfiguration(upstream, extra: "tag_ttl = \"2s\"", cache: "max_size = \"16MiB\""))
        let sampler = DiskUsageSampler(daemon.storePath)
        let watch = Stopwatch()
        let warm = try soak(daemon, images, seed) { watch.elapsed > length / 5 }
        let (memory, descriptors) = (daemon.memory.now, daemon.descriptorCount)
        let rest = try soak(daemon, images, seed &+ 1) { watch.elapsed > length }
        // A slow machine has not opened all that it keeps open by the end of the first part.
        let most = max(descriptors, warm.peakDescriptors) + 8
        let isQuiet = poll(within: .seconds(10)) { daemon.descriptorCount <= most }
        let lost = warm.lost + rest.lost
        let evicted = try daemon.metricSum("cistern_evicted_bytes_total")
        PromiseReport.add(
            "P12", "\(length.components.seconds) s of \(warm.pulls + rest.pulls) image pulls",
            figure: "\(lost.count) lost or refused, \(Int64(evicted) >> 20) MiB evicted",
            bound: "0", held: lost.isEmpty && evicted > 0)
        PromiseReport.add(
            "P12", "disk at any moment", figure: "\(sampler.stop() >> 10) KiB",
            bound: "\(16 << 10) KiB", held: sampler.most <= 16 << 20)
        print("E46: resident \(memory >> 10) to \(daemon.memory.now >> 10) KiB, seed \(seed)")
        #expect(lost == [], "seed \(seed)")
        #expect(evicted > 0, "more was pulled than fits")
        #expect(sampler.most <= 16 << 20)
        #expect(isQuiet, "descriptors: at most \(most), then \(daemon.descriptorCount)")
        // AddressSanitizer keeps what was freed for a while.
        let growth = max(memory / 20, 8 << 20) * Int64(Sanitizer.factor)
        #expect(daemon.memory.now < memory + growth, "resident memory grows")
    }

    private func soak(
        _ daemon: DaemonProcess, _ images: [ImageFixture], _ seed: UInt64,
        until isOver: @escaping @Sendable () -> Bool
    ) throws -> Tally {
        let tallies = try concurrently(4, within: .seconds(20_000)) { client in
            var generator = SeededGenerator(seed: seed &+ UInt64(client))
            var tally = Tally()
            while !isOver() {
                // The first few are asked for more often, as real images are.
                let bound = Bool.random(using: &generator) ? 6 : images.count
                let number = Int.random(in: 0..<bound, using: &generator)
                let puller = Puller(daemon, "/v2/docker.io/library/i\(number)")
                tally.lost += try puller.pull(images[number])
                tally.pulls += 1
                tally.peakDescriptors = max(tally.peakDescriptors, daemon.descriptorCount)
            }
            return tally
        }
        return tallies.reduce(into: Tally()) { all, one in
            all.pulls += one.pulls
            all.lost += one.lost
            all.peakDescriptors = max(all.peakDescriptors, one.peakDescriptors)
        }
    }
}
