import Glibc
import TestSupport
import Testing

/// Signals, reload, checks, health and metrics (OPS-1, OPS-2, OPS-5).
@Suite("E55 operation", .realParts)
struct E55_OperationTests {
    private let image = ImageFixture(seed: 55)

    private func start() throws -> (LoopbackRegistry, DaemonProcess, DaemonConfiguration) {
        let upstream = try LoopbackRegistry()
        upstream.add(image, "library/a")
        upstream.add(image, "org/b")
        let configuration = DaemonConfiguration(upstream)
        return (upstream, try DaemonProcess(configuration), configuration)
    }

    @Test func aReloadAddsARepository() throws {
        let (upstream, daemon, configuration) = try start()
        let puller = Puller(daemon, "/v2/quay.io/org/b")
        #expect(try RawClient.request(daemon.address, puller.manifest("latest")).status == 404)
        let held = try RawClient(daemon.address)
        #expect(try held.request("/v2/").status == 200)
        var next = configuration
        next.tables.append(DaemonConfiguration.proxy("quay.io", upstream))
        try Files.write(daemon.configurationFile, Array(next.text(store: daemon.storePath).utf8))
        daemon.child.signal(SIGHUP)
        let isThere = try poll {
            try RawClient.request(daemon.address, puller.manifest("latest")).status == 200
        }
        #expect(isThere)
        #expect(try puller.pull(image) == [])
        #expect(try held.request("/v2/").status == 200, "connections are kept")
        #expect(try daemon.metric("cistern_config_last_reload_successful") == 1)
    }

    @Test func aBadReloadChangesNothing() throws {
        let (upstream, daemon, configuration) = try start()
        let text = configuration.text(store: daemon.storePath) + "\n[cache2]\nnonsense = 1\n"
        try Files.write(daemon.configurationFile, Array(text.utf8))
        daemon.child.signal(SIGHUP)
        #expect(daemon.awaitLog("cache2"))
        #expect(poll { (try? daemon.metric("cistern_config_last_reload_successful")) == 0 })
        #expect(try Puller(daemon, "/v2/docker.io/library/a").pull(image) == [])
        withExtendedLifetime(upstream) {}
    }

    // OPS-1
    @Test func sigtermLetsTransfersEnd() throws {
        let (upstream, daemon, _) = try start()
        let blob = TestContent(seed: 551, size: 6 << 20)
        upstream.add(blob)
        let gate = Gate()
        upstream.inject(.stall(at: 3 << 20, gate), on: blob.digest)
        let address = daemon.address
        let client = TestThread {
            try RawClient.request(
                address, "/v2/docker.io/library/a/blobs/\(blob.digest)", sink: .compare(blob))
        }
        #expect(gate.awaitArrivals(1))
        let idle = try RawClient(address)
        #expect(try idle.request("/v2/").status == 200)
        daemon.child.signal(SIGTERM)
        #expect(idle.isAtEnd(), "idle connections are closed")
        #expect(poll { (try? RawClient(address)) == nil }, "nothing new is accepted")
        #expect(daemon.child.isRunning)
        gate.open()
        #expect(try client.value().isRight)
        #expect(daemon.child.wait(within: .seconds(10)) == .exited(0))
    }

    @Test func aSecondSigtermEndsAtOnce() throws {
        let (upstream, daemon, _) = try start()
        let blob = TestContent(seed: 552, size: 6 << 20)
        upstream.add(blob)
        let gate = Gate()
        upstream.inject(.stall(at: 3 << 20, gate), on: blob.digest)
        let address = daemon.address
        let client = TestThread {
            try RawClient.request(
                address, "/v2/docker.io/library/a/blobs/\(blob.digest)", sink: .compare(blob))
        }
        #expect(gate.awaitArrivals(1))
        daemon.child.signal(SIGTERM)
        #expect(poll { (try? RawClient(address)) == nil })
        daemon.child.signal(SIGTERM)
        #expect(daemon.child.wait(within: .seconds(5)) != nil)
        #expect((try? client.value())?.ending != .complete)
        gate.open()
    }

    @Test func checkTellsGoodFromBad() throws {
        let (upstream, daemon, configuration) = try start()
        let binary = try DaemonProcess.binary()
        let good = try Command.run(binary, ["check", "--config", daemon.configurationFile])
        #expect(good.code == 0, "\(good)")
        let bad = try daemon.home.write(
            "bad.toml",
            configuration.text(store: daemon.storePath)
                + "\n[repositories.x]\ntype = \"proxy\"\nregistry = \"x.example\"\nupstreem = \"http://x\"\n"
        )
        let answer = try Command.run(binary, ["check", "--config", bad])
        #expect(answer.code != 0)
        let said = answer.stdout + answer.stderr
        #expect(said.contains("upstreem") && said.contains("upstream"), "\(said)")
        #expect(said.contains("bad.toml:"))
        let watch = Stopwatch()
        let serve = try Command.run(
            binary, ["serve", "--config", bad] + DaemonProcess.rootArguments)
        #expect(serve.code == 78 || serve.code == answer.code, "\(serve.code)")
        #expect(watch.seconds < 5)
        let none = try Command.run(binary, ["check", "--config", "/does/not/exist.toml"])
        #expect(none.code != 0)
        withExtendedLifetime(upstream) {}
    }

    @Test func versionAndHostsSpeak() throws {
        let binary = try DaemonProcess.binary()
        let version = try Command.succeed(binary, ["version"])
        #expect(version.stdout.contains("cistern"))
        for client in ["containerd", "docker", "podman"] {
            let output = try Command.succeed(binary, ["hosts", client])
            #expect(output.stdout.contains("127.0.0.1:5000"), "\(output)")
        }
        #expect(try Command.run(binary, ["nonsense"]).code == 64)
    }

    @Test func rootIsRefusedUnlessAllowed() throws {
        guard geteuid() == 0 else { return }
        let (upstream, daemon, _) = try start()
        daemon.kill()
        let output = try Command.run(
            try DaemonProcess.binary(), ["serve", "--config", daemon.configurationFile],
            within: .seconds(10))
        #expect(output.code != 0)
        #expect(output.stderr.contains("--allow-root"), "\(output)")
        withExtendedLifetime(upstream) {}
    }

    // OPS-5
    @Test func aPortInUseIsAnErrorInOneLine() throws {
        let (upstream, daemon, configuration) = try start()
        let text = configuration.text(store: daemon.home.file("other-store"))
        let taken = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line == "address = \"127.0.0.1:0\"" ? "address = \"\(daemon.address)\"" : String(line)
        }
        var lines = taken
        // Only the listener's address; the admin one stays free.
        if let last = lines.lastIndex(of: "address = \"\(daemon.address)\"") {
            lines[last] = "address = \"127.0.0.1:0\""
        }
        let file = try daemon.home.write("taken.toml", lines.joined(separator: "\n"))
        let output = try Command.run(
            try DaemonProcess.binary(), ["serve", "--config", file] + DaemonProcess.rootArguments,
            within: .seconds(10))
        #expect(output.code != 0)
        #expect(output.stderr.contains(daemon.address), "\(output)")
        withExtendedLifetime(upstream) {}
    }

    @Test func healthAndMetricsTellTheTruth() throws {
        let (upstream, daemon, _) = try start()
        #expect(try RawClient.request(daemon.admin, "/healthz").status == 200)
        #expect(try RawClient.request(daemon.admin, "/readyz").status == 200)
        #expect(try RawClient.request(daemon.address, "/metrics").status == 404)
        #expect(try Puller(daemon, "/v2/docker.io/library/a").pull(image) == [])
        #expect(try Puller(daemon, "/v2/docker.io/library/a").pull(image) == [])
        let metrics = try RawClient.request(daemon.admin, "/metrics")
        #expect(metrics["Content-Type"]?.hasPrefix("text/plain; version=0.0.4") == true)
        for name in [
            "cistern_http_requests_total", "cistern_cache_requests_total",
            "cistern_store_size_bytes", "cistern_upstream_requests_total", "cistern_build_info",
            "process_resident_memory_bytes", "process_open_fds",
        ] {
            #expect(metrics.text.contains(name), "\(name)")
        }
        // A blob that is still being committed is joined, which counts as coalesced.
        let hits = try ["hit", "coalesced"].reduce(0) { sum, cache in
            try sum
                + daemon.metricSum(
                    "cistern_cache_requests_total", #"kind="blob""#, "cache=\"\(cache)\"")
        }
        #expect(hits == Double(image.blobs.count))
        let size = try daemon.metricSum("cistern_store_size_bytes")
        #expect(size >= Double(image.totalSize))
        if let promtool = try? requireTool("promtool") {
            let file = try daemon.home.write("metrics", metrics.text)
            let output = try Command.run("sh", ["-c", "\(promtool) check metrics < \(file)"])
            #expect(output.code == 0, "\(output)")
        }
        upstream.stop()
        #expect(try RawClient.request(daemon.admin, "/readyz").status == 200)
    }

    @Test func everyRequestWritesOneAccessLine() throws {
        let (upstream, daemon, _) = try start()
        #expect(try Puller(daemon, "/v2/docker.io/library/a").pull(image) == [])
        let blob = image.platforms[0].layers[1]
        _ = try RawClient.request(daemon.address, "/v2/docker.io/library/a/blobs/\(blob.digest)")
        let isLogged = poll {
            daemon.log.split(separator: "\n").contains {
                logValue("msg", in: $0) == "pull" && logValue("ref", in: $0) == blob.digest
                    && logValue("cache", in: $0) == "hit" && logValue("status", in: $0) == "200"
                    && logValue("bytes", in: $0) == "\(blob.size)"
            }
        }
        #expect(isLogged)
        // CRED-7: what comes from clients is escaped.
        _ = try? RawClient.request(
            daemon.address, "/v2/docker.io/library/a/manifests/x%0Amsg=forged",
            fields: [("User-Agent", "a\u{1B}[31m\" b")])
        _ = try RawClient.request(daemon.address, "/v2/", fields: [("User-Agent", "curl/1 \"q\"")])
        #expect(poll { daemon.log.contains("curl/1") })
        #expect(!daemon.log.contains("\u{1B}"))
        #expect(!daemon.log.split(separator: "\n").contains { $0.hasPrefix("msg=forged") })
        withExtendedLifetime(upstream) {}
    }
}
