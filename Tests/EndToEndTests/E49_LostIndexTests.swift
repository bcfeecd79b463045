import TestSupport
import Testing

/// The index is lost or damaged: what was pulled is served again all the same, with the upstream
/// gone, and to nobody who could not have it before (DUR-4, AUTH-1).
@Suite("E49 lost index", .realParts)
struct E49_LostIndexTests {
    enum Damage: CaseIterable { case deleted, truncated, garbage, pageFlipped, logDeleted }
    enum Moment: CaseIterable { case stopped, killed, running }

    private let image = ImageFixture(
        seed: 4900, layerSizes: [300_000, 2_000_000], architectures: ["amd64"])

    private func spoil(_ store: String, _ damage: Damage) throws {
        let path = "\(store)/index.db"
        switch damage {
        case .deleted:
            for suffix in ["", "-wal", "-shm"] { Files.removeTree(path + suffix) }
        case .truncated:
            let bytes = try Files.read(path)
            try Files.write(path, Array(bytes.prefix(bytes.count / 2)))
        case .garbage: try Files.write(path, Array("this is no database".utf8))
        case .pageFlipped:
            var bytes = try Files.read(path)
            let page = 4096 * min(2, bytes.count / 4096 - 1)
            for place in page..<min(page + 4096, bytes.count) { bytes[place] ^= 0xff }
            try Files.write(path, bytes)
        case .logDeleted: for suffix in ["-wal", "-shm"] { Files.removeTree(path + suffix) }
        }
    }

    @Test(arguments: Damage.allCases, Moment.allCases)
    func whatWasPulled_isServedAgain(damage: Damage, moment: Moment) throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        let configuration = DaemonConfiguration(upstream)
        let first = try DaemonProcess(configuration)
        #expect(try Puller(first, "/v2/docker.io/library/a").pull(image) == [])
        upstream.stop()
        // A client has its last byte a moment before the commit, and the right is noted after that.
        let names = "\(first.storePath)/names.log"
        #expect(
            poll {
                let text = (try? Files.text(names)) ?? ""
                return image.blobs.allSatisfy { text.contains($0.digest) }
            })
        if case .running = moment { try spoil(first.storePath, damage) }
        if case .killed = moment { first.kill() } else { #expect(first.stop() == .exited(0)) }
        if moment != .running { try spoil(first.storePath, damage) }
        let second = try DaemonProcess(configuration, home: first.home)
        let puller = Puller(second, "/v2/docker.io/library/a")
        // By digest at once, whatever is still to be looked at; by tag as soon as it is known.
        for blob in image.blobs { #expect(try puller.get(blob).isRight) }
        #expect(poll { (try? puller.pull(image)) == [] }, "\(second.log.suffix(3000))")
        let strange = Puller(second, "/v2/docker.io/library/b")
        for blob in image.blobs { #expect(try strange.get(blob).status >= 400) }
        #expect(second.stop() == .exited(0))
        // And it was no matter of this one run.
        let third = try DaemonProcess(configuration, home: first.home)
        #expect(try Puller(third, "/v2/docker.io/library/a").pull(image) == [])
    }

    @Test func whatIsPinned_isKeptAllTheSame() throws {
        let upstream = try LoopbackRegistry()
        let images = (0..<5).map {
            ImageFixture(
                seed: UInt64(4910 + $0), layerSizes: [5_000_000], architectures: ["amd64"])
        }
        for (number, image) in images.enumerated() { upstream.add(image, "library/i\(number)") }
        let configuration = DaemonConfiguration(upstream, cache: "max_size = \"14MiB\"")
        let first = try DaemonProcess(configuration)
        func cistern(_ daemon: DaemonProcess, _ arguments: String...) throws -> Command.Output {
            try Command.run(
                try DaemonProcess.binary(), arguments + ["-c", daemon.configurationFile],
                within: .seconds(60))
        }
        #expect(try cistern(first, "pin", "docker.io/library/i0").code == 0)
        let pins = try cistern(first, "pin", "ls").stdout
        #expect(first.stop() == .exited(0))
        try spoil(first.storePath, .deleted)
        let second = try DaemonProcess(configuration, home: first.home)
        #expect(try cistern(second, "pin", "ls").stdout == pins && !pins.isEmpty)
        for number in 1..<5 {
            let puller = Puller(second, "/v2/docker.io/library/i\(number)")
            #expect(try puller.pull(images[number]) == [])
        }
        upstream.stop()
        #expect(try Puller(second, "/v2/docker.io/library/i0").pull(images[0]) == [])
    }

    // Without names nobody has a right, but the bytes need not be fetched again.
    @Test func withTheNamesLostToo_theUpstreamSaysWhoMayRead() throws {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        let configuration = DaemonConfiguration(upstream)
        let first = try DaemonProcess(configuration)
        #expect(try Puller(first, "/v2/docker.io/library/a").pull(image) == [])
        #expect(first.stop() == .exited(0))
        try spoil(first.storePath, .deleted)
        Files.removeTree("\(first.storePath)/names.log")
        upstream.stop()
        let second = try DaemonProcess(configuration, home: first.home)
        let puller = Puller(second, "/v2/docker.io/library/a")
        for blob in image.blobs { #expect(try puller.get(blob).status >= 500) }
        try upstream.start()
        #expect(poll { (try? puller.pull(image)) == [] })
    }
}
