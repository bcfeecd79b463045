import Glibc
import TestSupport
import Testing

/// With the upstream gone in any way everything seen before is served, as fast as ever
/// (P8, UP-6; issue 3, done when 5).
@Suite("E65 outages", .realParts, .serialized)
struct E65_OutageTests {
    /// Pulls everything cached and adds the time of each request; what was not right, in words.
    private func pull(
        _ scene: OutageScene, _ client: RawClient, _ times: inout [Duration]
    ) throws -> [String] {
        let (image, puller) = (scene.image, scene.puller)
        let types = Puller.manifestTypes.map { ("Accept", $0) }
        let manifests =
            [(puller.manifest("latest"), image.index.content)]
            + image.documents.map { (puller.manifest($0.digest), $0.content) }
        var problems: [String] = []
        for (target, content) in manifests + image.blobs.map({ (puller.blob($0), $0) }) {
            let watch = Stopwatch()
            let answer = try client.request(target, fields: types, sink: .compare(content))
            times.append(watch.elapsed)
            if !answer.isRight || answer.status != 200 { problems.append("\(answer)") }
        }
        return problems
    }

    private func percentile99(_ times: [Duration]) -> Duration {
        times.isEmpty ? .zero : times.sorted()[min(times.count - 1, times.count * 99 / 100)]
    }

    private var rounds: Int { isLongRun ? 1000 : 100 }

    @Test(arguments: Outage.allCases)
    func everythingSeenBeforeIsServed(outage: Outage) throws {
        let (scene, healthy) = (try OutageScene(for: outage), try OutageScene())
        for each in [scene, healthy] { #expect(try each.puller.pull(each.image) == []) }
        try scene.lose(outage)
        // The tag is too old to be believed by now or soon.
        let isStale = try poll(within: .seconds(20)) {
            let answer = try RawClient.request(
                scene.daemon.address, scene.puller.manifest("latest"))
            #expect(answer.status == 200, "\(answer)")
            return answer["Cache-Status"]?.contains("fwd=stale") == true
                && answer["Warning"]?.contains("110") == true
        }
        #expect(isStale)
        // By turns, so that whatever else this machine does slows both.
        var (normal, broken): ([Duration], [Duration]) = ([], [])
        let clients = (try RawClient(healthy.daemon.address), try RawClient(scene.daemon.address))
        for _ in 0..<rounds {
            #expect(try pull(healthy, clients.0, &normal) == [])
            #expect(try pull(scene, clients.1, &broken) == [])
        }
        let (before, after) = (percentile99(normal), percentile99(broken))
        PromiseReport.add(
            "P8", "cached pulls with the upstream \(outage.rawValue), p99",
            figure: "\(after.shown) instead of \(before.shown)", bound: "1.2 times",
            held: after <= before * 6 / 5)
        withExtendedLifetime((scene, healthy)) {}
    }

    // P14, UP-8
    @Test(arguments: [Outage.stopped, .silent, .dropping, .failing, .noAddress])
    func unknownNamesFailAtOnceWhenTheBreakerIsOpen(outage: Outage) throws {
        let scene = try OutageScene(for: outage)
        #expect(try scene.puller.pull(scene.image) == [])
        try scene.lose(outage)
        let (address, puller) = (scene.daemon.address, scene.puller)
        let first = try concurrently(8) { number in
            let watch = Stopwatch()
            let answer = try RawClient.request(address, puller.manifest("unknown-\(number)"))
            return (answer.status, watch.elapsed)
        }
        for (status, time) in first {
            #expect([502, 503, 504].contains(status))
            #expect(time < .seconds(15))
        }
        let isOpen = try poll(within: .seconds(20)) {
            _ = try RawClient.request(address, puller.manifest("again"))
            return try scene.daemon.metricSum("cistern_upstream_breaker_state", "docker.io") == 2
        }
        #expect(isOpen)
        var times: [Duration] = []
        for number in 0..<20 {
            let watch = Stopwatch()
            let answer = try RawClient.request(address, puller.manifest("refused-\(number)"))
            let time = watch.elapsed
            guard try scene.daemon.metricSum("cistern_upstream_breaker_state", "docker.io") == 2,
                answer.text.contains("left alone")
            else { continue }
            times.append(time)
            #expect(answer.status == 503)
            #expect(answer["Retry-After"].flatMap { Int($0) } ?? 0 >= 1)
            #expect(!answer.reason.isEmpty && answer.reason != "Service Unavailable")
        }
        #expect(!times.isEmpty)
        let worst = times.max() ?? .zero
        PromiseReport.add(
            "P14", "unknown names with the upstream \(outage.rawValue), breaker open",
            figure: worst.shown, bound: "50 ms", held: worst <= .milliseconds(50))
        #expect(try RawClient.request(scene.daemon.admin, "/readyz").status == 200)
        withExtendedLifetime(scene) {}
    }

    // UP-8: half open, closed.
    @Test func anUpstreamThatComesBackIsFoundByAProbe() throws {
        let scene = try OutageScene()
        scene.upstream.stop()
        let (address, puller) = (scene.daemon.address, scene.puller)
        for number in 0..<6 {
            _ = try RawClient.request(address, puller.manifest("unknown-\(number)"))
        }
        #expect(scene.daemon.awaitLog("upstream is failing"))
        try scene.upstream.start()
        #expect(try poll(within: .seconds(40)) { try puller.pull(scene.image) == [] })
        #expect(scene.daemon.awaitLog("upstream is back"))
        let lines = scene.daemon.log.split(separator: "\n").count {
            $0.contains("upstream is failing") || $0.contains("upstream is back")
        }
        #expect(lines == 2, "one line at open, one at close")
    }
}

extension Duration {
    /// In milliseconds, for the report.
    fileprivate var shown: String {
        let (seconds, rest) = components
        return "\(Double(seconds * 1_000_000 + rest / 1_000_000_000_000) / 1000) ms"
    }
}
