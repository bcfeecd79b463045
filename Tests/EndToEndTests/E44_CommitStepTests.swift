import TestSupport
import Testing

/// kill -9 before each system call of a fetch, its commit and the evictions for it (P1, DUR-1,
/// DUR-5).
@Suite("E44 commit steps", .realParts)
struct E44_CommitStepTests {
    /// The calls that change the disk, and how often each is reached on the way of a few pulls.
    private static let calls = [
        "fallocate", "fdatasync", "renameat2", "fsync", "unlinkat", "mkdirat", "pwrite64",
        "ftruncate", "write",
    ]
    private static let limit: Int64 = 14 << 20

    private let images = (0..<4).map { number in
        ImageFixture(
            seed: UInt64(4400 + number), layerSizes: [300_000, 4_000_000],
            architectures: ["amd64"])
    }

    // `CISTERN_TEST_LONG=1`: the first 24 times that each thread makes the call; else 1, 2, 4.
    @Test(.wholeMachine, arguments: E44_CommitStepTests.calls)
    func killedBeforeACall_itServesNothingWrongAndLeaksNothing(call: String) throws {
        let upstream = try LoopbackRegistry()
        for (number, image) in images.enumerated() { upstream.add(image, "library/i\(number)") }
        let configuration = DaemonConfiguration(upstream, cache: #"max_size = "14MiB""#)
        let home = try TemporaryDirectory()
        var kills = 0
        for time in isLongRun ? Array(1...24) : [1, 2, 3] {
            kills += try run(configuration, home, call, time) ? 1 : 0
            let next = try DaemonProcess(configuration, home: home)
            #expect(Files.diskUsage(next.storePath) <= Self.limit, "\(call) \(time)")
            let puller = Puller(next, "/v2/docker.io/library/i\(time % images.count)")
            #expect(try puller.pull(images[time % images.count]) == [], "\(call) \(time)")
            #expect(next.stop() == .exited(0))
            try expectNoLeftovers(next, "\(call) \(time)")
        }
        PromiseReport.add(
            "P1", "killed before \(call)", figure: "\(kills) kills, nothing wrong or leaked",
            bound: "1 or more", held: kills > 0)
        #expect(kills > 0, "\(call) is never reached")
    }

    /// Pulls until the daemon dies by its own system call; false if it never does.
    private func run(
        _ configuration: DaemonConfiguration, _ home: TemporaryDirectory, _ call: String,
        _ time: Int
    ) throws -> Bool {
        // Not with --seccomp-bpf: strace 6.1 then injects no signal.
        let strace = [
            "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)",
            "-e", "inject=\(call):signal=SIGKILL:when=\(time)",
        ]
        let daemon: DaemonProcess
        do {
            daemon = try DaemonProcess(configuration, home: home, wrapper: strace)
        } catch {
            return true  // Killed while it started.
        }
        for (number, image) in images.enumerated() where daemon.child.isRunning {
            let base = "/v2/docker.io/library/i\(number)"
            for content in image.documents.map(\.content) + image.blobs {
                let kind = image.blobs.contains { $0 === content } ? "blobs" : "manifests"
                let answer = try? RawClient.request(
                    daemon.address, "\(base)/\(kind)/\(content.digest)", sink: .compare(content),
                    timeout: .seconds(20))
                #expect(!(answer?.isCompleteButWrong ?? false), "\(call) \(time)")
            }
        }
        // The tracer ends a moment after what it traces.
        let isKilled = daemon.child.wait(within: .milliseconds(500)) != nil
        daemon.kill()
        return isKilled
    }

    /// Every file is a whole blob, or the index's, or one growing file of a blob that is missing.
    private func expectNoLeftovers(_ daemon: DaemonProcess, _ step: String) throws {
        var whole: Set<String> = []
        var growing: [String] = []
        for file in Files.walk("\(daemon.storePath)/blobs") where !file.isDirectory {
            let name = file.path.split(separator: "/").last.map(String.init) ?? ""
            if let dot = name.firstIndex(of: ".") {
                growing.append(String(name[..<dot]))
            } else {
                #expect(MessageDigest.of(try Files.read(file.path)) == "sha256:\(name)", "\(step)")
                whole.insert(name)
            }
        }
        #expect(Set(growing).count == growing.count, "\(step)")
        #expect(whole.isDisjoint(with: growing), "\(step)")
        #expect(Files.diskUsage(daemon.storePath) <= Self.limit, "\(step)")
    }
}
