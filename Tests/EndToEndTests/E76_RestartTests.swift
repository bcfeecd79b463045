import Glibc
import TestSupport
import Testing

/// Restarts and reloads under load lose no request (P13, OPS-1, OPS-2).
@Suite("E76 restarts", .wholeMachine)
struct E76_RestartTests {
    private static let isLong = environment("CISTERN_TEST_LONG") == "1"

    private let image = ImageFixture(seed: 76)
    private let large = TestContent(seed: 761, size: 8 << 20)

    private func wants(_ puller: Puller) -> [GoodClients.Want] {
        let types = Puller.manifestTypes.map { ("Accept", $0) }
        return image.documents.map { .init(puller.manifest($0.digest), $0.content, fields: types) }
            + (image.blobs + [large]).map { .init(puller.blob($0), $0) }
    }

    private func upstream() throws -> LoopbackRegistry {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        upstream.add(large)
        return upstream
    }

    // P13: the socket is held by another process, as systemd does.
    @Test func restartsLoseNoConnectionAndNoHit() throws {
        let restarts = Self.isLong ? 100 : 5
        let upstream = try upstream()
        let held = try HeldSocket()
        let configuration = DaemonConfiguration(upstream)
        var daemon = try held.start(configuration)
        let puller = Puller(held.address, "/v2/docker.io/library/a")
        #expect(try puller.pull(image) == [])
        #expect(try puller.get(large).isRight)
        let clients = GoodClients(held.address, wants(puller), habit: .fresh)
        let down = Monitor<[Double]>([])
        for _ in 0..<restarts {
            // A hit that takes its time: it lasts over the signal.
            let slow = try RawClient(held.address, receiveBuffer: 8192)
            try slow.send(puller.blob(large))
            let head = try slow.head()
            #expect(head.status == 200)
            let watch = Stopwatch()
            daemon.child.signal(SIGTERM)
            #expect(daemon.awaitLog("msg=stopping"))
            let body = try slow.rest(limit: Int(large.size))
            #expect(Int64(body.count) == large.size)
            #expect(body.withUnsafeBytes { large.matches($0, at: 0) })
            #expect(daemon.child.wait(within: .seconds(40)) == .exited(0))
            daemon = try held.start(configuration, home: daemon.home)
            down.with { $0.append(watch.seconds) }
        }
        clients.goOn(for: .milliseconds(300))
        let report = try clients.stop()
        #expect(report.problems == [])
        let longest = down.read { $0.max() ?? 0 }
        PromiseReport.add(
            "P13", "\(restarts) restarts under load, \(report.summary)",
            figure: "\(report.problems.count) failed", bound: "0", held: report.problems.isEmpty)
        print("E76: from signal to ready at most \((longest * 100).rounded() / 100) s")
        #expect(daemon.stop() == .exited(0))
    }

    // OPS-2
    @Test func reloadsLoseNoRequest() throws {
        let reloads = Self.isLong ? 200 : 20
        let upstream = try upstream()
        let configuration = DaemonConfiguration(upstream)
        let daemon = try DaemonProcess(configuration)
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        #expect(try puller.pull(image) == [])
        #expect(try puller.get(large).isRight)
        let kept = GoodClients(daemon.address, wants(puller), count: 2, habit: .kept)
        let fresh = GoodClients(daemon.address, wants(puller), count: 2, habit: .fresh)
        for number in 0..<reloads {
            var next = configuration
            if number % 3 == 1 {
                next.tables.append(DaemonConfiguration.proxy("quay.io", upstream))
            }
            // Every third time a file with a mistake, which changes nothing.
            let mistake = number % 3 == 2 ? "\n[nonsense]\nx = 1\n" : ""
            let text = next.text(store: daemon.storePath) + mistake
            try Files.write(daemon.configurationFile, Array(text.utf8))
            daemon.child.signal(SIGHUP)
            let wanted = mistake.isEmpty ? "msg=reloaded" : "not taken"
            let times = (0...number).count { ($0 % 3 == 2) == (number % 3 == 2) }
            let isTaken = poll {
                daemon.log.split(separator: "\n").count { $0.contains(wanted) } >= times
            }
            #expect(isTaken, "reload \(number)")
        }
        let reports = [try kept.stop(), try fresh.stop()]
        #expect(reports.flatMap(\.problems) == [])
        print("E76: \(reloads) reloads, \(reports.map(\.summary).joined(separator: "; "))")
        #expect(daemon.stop() == .exited(0))
        withExtendedLifetime(upstream) {}
    }
}
