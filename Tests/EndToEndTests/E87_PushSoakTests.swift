import TestSupport
import Testing

/// Pushes, moves, deletions, collections, evictions and kills for a while: nothing that is tagged,
/// or was pushed a moment ago, is ever lost, and what nothing refers to goes (P12; DUR-3).
///
/// `CISTERN_TEST_LONG=1`: 3 h; else 20 s; `CISTERN_SOAK_SECONDS=N` says otherwise.
@Suite("E87 push soak", .realParts)
struct E87_PushSoakTests {
    /// What one client did and found.
    private struct Account: Sendable {
        var events = 0
        var problems: [String] = []
    }

    @Test func collectingNeverLosesWhatWasPushed() throws {
        let seconds = environment("CISTERN_SOAK_SECONDS").flatMap { Int64($0) }
        let length = Duration.seconds(seconds ?? (isLongRun ? 10_800 : 20))
        let seed = SeededGenerator.seedOfThisRun()
        print("E87: CISTERN_TEST_SEED=\(seed)")
        let site = try SoakSite()
        let over = Gate()
        // What shares the machine with other tests leaves it to them.
        let pause = Duration.milliseconds(isLongRun ? 1 : 200)
        let clients = (0..<3).map { number in
            TestThread { try Self.client(site, number, seed, over, pause) }
        }
        let others = [
            TestThread { try Self.nightly(site, over, pause) },
            TestThread { try Self.puller(site, seed, over, pause) },
        ]
        try killNowAndThen(site, seed, until: length)
        over.open()
        var all = Account()
        for thread in clients + others {
            let account = try thread.value(within: .seconds(900))
            all.events += account.events
            all.problems += account.problems
        }
        site.deleteTried()
        let isEmpty = poll(within: .seconds(180)) {
            let held = try? site.daemon.metric(
                "cistern_store_hosted_bytes{repository=\"releases\"}")
            return held == 0
        }
        let (collected, evicted) = site.totals()
        PromiseReport.add(
            "P12",
            "\(length.components.seconds) s of \(all.events) pushes, deletions and looks, "
                + "\(site.kills) kills, \(collected) collected, \(evicted) evicted",
            figure: "\(all.problems.count) lost", bound: "0", held: all.problems.isEmpty)
        #expect(all.problems == [], "seed \(seed)")
        #expect(isEmpty, "what was deleted goes, and all that it needed")
        #expect(collected > 0 && evicted > 0, "something was let go, and evicted")
        try expectWholeFiles(site)
    }

    private static func client(
        _ site: SoakSite, _ number: Int, _ seed: UInt64, _ over: Gate, _ pause: Duration
    ) throws -> Account {
        let client = SoakClient(site, number, seed: seed)
        let turn = Monitor(())
        while !over.isOpen {
            try client.step()
            turn.wait(pause) { _ in false }
        }
        try client.checkAll()
        try client.deleteAll()
        return Account(events: client.events, problems: client.problems)
    }

    /// Kills at random moments; now and then the daemon is stopped in order.
    private func killNowAndThen(_ site: SoakSite, _ seed: UInt64, until length: Duration) throws {
        var generator = SeededGenerator(seed: seed &+ 99)
        let turn = Monitor(())
        while site.watch.elapsed < length {
            let most = isLongRun ? 60_000 : 30_000
            let pause = Duration.milliseconds(Int.random(in: 2000..<most, using: &generator))
            turn.wait(min(pause, length - site.watch.elapsed)) { _ in false }
            guard site.watch.elapsed < length else { return }
            try site.restart(killing: Int.random(in: 0..<4, using: &generator) > 0)
        }
    }

    /// Tags of which the three newest stay.
    private static func nightly(
        _ site: SoakSite, _ over: Gate, _ pause: Duration
    ) throws -> Account {
        var account = Account()
        let base = "/v2/nightly/build"
        let config = TestContent(seed: 8790, size: 100)
        var pushed: [String] = []
        let turn = Monitor(())
        var number = 0
        while !over.isOpen {
            turn.wait(pause * 4) { _ in false }
            number += 1
            account.events += 1
            let layer = TestContent(seed: 879_000 + UInt64(number), size: 30_000)
            let isThere = [config, layer].allSatisfy { blob in
                if site.attempt("HEAD", "\(base)/blobs/\(blob.digest)")?.status == 200 {
                    return true
                }
                guard let begun = site.attempt("POST", "\(base)/blobs/uploads/"),
                    let location = begun["Location"],
                    site.attempt("PATCH", location, blob.bytes)?.status == 202
                else { return false }
                return site.attempt("PUT", "\(location)?digest=\(blob.digest)")?.status == 201
            }
            guard isThere else { continue }
            let manifest = HostedScene.manifest([config.bytes, layer.bytes])
            let tag = "n\(number)"
            guard site.attempt("PUT", "\(base)/manifests/\(tag)", manifest)?.status == 201 else {
                continue
            }
            pushed.append(tag)
            // One that was not acknowledged may be among the newest, so two are sure.
            for tag in pushed.suffix(2) {
                let status = try site.look("\(base)/manifests/\(tag)", "HEAD").status
                if status != 200 { account.problems.append("nightly \(tag): \(status)") }
            }
        }
        let isGone = poll(within: .seconds(60)) {
            // Those pushed in the second of the third newest stay with it.
            pushed.dropLast(9).allSatisfy {
                site.attempt("HEAD", "\(base)/manifests/\($0)")?.status == 404
            }
        }
        if !isGone { account.problems.append("nightly: old tags are there still") }
        return account
    }

    /// Pulls more than fits, so that there is always something to evict.
    private static func puller(
        _ site: SoakSite, _ seed: UInt64, _ over: Gate, _ pause: Duration
    ) throws -> Account {
        var account = Account()
        let blobs = (0..<24).map { TestContent(seed: 8760 + $0, size: 3 << 20) }
        for blob in blobs { site.upstream.add(blob) }
        let turn = Monitor(())
        var generator = SeededGenerator(seed: seed &+ 77)
        while !over.isOpen {
            turn.wait(pause * 5) { _ in false }
            account.events += 1
            let blob = blobs[Int.random(in: 0..<blobs.count, using: &generator)]
            let answer = site.attempt(
                "GET", "/v2/docker.io/library/a/blobs/\(blob.digest)", [], .compare(blob))
            if let answer, answer.status != 200 || !answer.isRight {
                account.problems.append("pull of \(blob.digest): \(answer)")
            }
        }
        return account
    }

    /// After a clean stop every blob file is what its name says.
    private func expectWholeFiles(_ site: SoakSite) throws {
        let daemon = site.daemon
        #expect(daemon.stop() == .exited(0))
        for file in Files.walk(daemon.storePath + "/blobs") where !file.isDirectory {
            let name = file.path.split(separator: "/").last.map(String.init) ?? ""
            if name.contains(".") { continue }
            #expect(MessageDigest.of(try Files.read(file.path)) == "sha256:\(name)")
        }
    }
}
