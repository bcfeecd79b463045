import TestSupport
import Testing

/// Hits move by sendfile and cost no memory per client (done when 7).
@Suite("E60 sendfile", .realParts)
struct E60_SendfileTests {
    // `CISTERN_TEST_LONG=1`: 1 GiB; else 64 MiB.
    @Test(.wholeMachine) func aHitMovesBySendfile() throws {
        let blob = TestContent(seed: 60, size: isLongRun ? 1 << 30 : 64 << 20)
        let upstream = try LoopbackRegistry()
        upstream.add(blob)
        let configuration = DaemonConfiguration(upstream)
        let first = try DaemonProcess(configuration)
        #expect(try Puller(first, "/v2/docker.io/library/a").get(blob).isRight)
        // What is asked for here is the way of a hit, not what a stop does to a running commit.
        #expect(try poll { try first.metricSum("cistern_fetches_in_flight") == 0 })
        #expect(first.stop() == .exited(0))
        upstream.stop()
        let trace = first.home.file("trace")
        let second = try DaemonProcess(
            configuration, home: first.home,
            wrapper: [
                try requireTool("strace"), "-f", "-e", "trace=sendfile,write,writev,sendto,sendmsg",
                "-o", trace,
            ],
            within: .seconds(60))
        #expect(try Puller(second, "/v2/docker.io/library/a").get(blob).isRight)
        // strace writes its file in pieces: the last one comes with its end.
        second.stop()
        let sent = try bytes(by: ["sendfile"], in: trace)
        let copied = try bytes(by: ["write", "writev", "sendto", "sendmsg"], in: trace)
        #expect(sent >= blob.size - (1 << 16), "by sendfile: \(sent) of \(blob.size)")
        #expect(copied < 1 << 20, "by other calls: \(copied)")
    }

    /// The sum of what these system calls returned, in lines of strace.
    private func bytes(by calls: Set<String>, in trace: String) throws -> Int64 {
        try Files.text(trace).split(separator: "\n").reduce(0) { sum, line in
            // "123 sendfile(7, 9, [0] => [65536], 65536) = 65536", or "<... sendfile resumed>…".
            let words = line.split { " (<>.".contains($0) }
            guard words.count > 2, words.contains(where: { calls.contains(String($0)) }),
                let result = line.split(separator: "= ").last.flatMap({ Int64($0) }), result > 0
            else { return sum }
            return sum + result
        }
    }

    // RES-8: at most 64 KiB of memory a client.
    @Test(.wholeMachine) func memoryDoesNotGrowWithClients() throws {
        let blob = TestContent(seed: 61, size: 64 << 20)
        let upstream = try LoopbackRegistry()
        upstream.add(blob)
        let daemon = try DaemonProcess(
            DaemonConfiguration(
                [
                    DaemonConfiguration.proxy("docker.io", upstream),
                    "[limits]\nconnections_per_address = 1000",
                ]))
        let puller = Puller(daemon, "/v2/docker.io/library/a")
        #expect(try puller.get(blob).isRight)
        func hold(_ count: Int) throws -> [RawClient] {
            try (0..<count).map { _ in
                // Small receive buffers: all of them are in the middle of the body at once.
                let client = try RawClient(daemon.address, receiveBuffer: 16 * 1024)
                try client.send(puller.blob(blob))
                #expect(try client.head().status == 200)
                return client
            }
        }
        let few = try hold(20)
        let before = daemon.memory.now
        let many = try hold(400)
        let growth = daemon.memory.now - before
        print("E60: \(growth / 400) bytes of memory for each of 400 clients")
        #expect(growth < 400 * 64 * 1024 * Int64(Sanitizer.factor))
        #expect(try puller.get(blob).isRight)
        withExtendedLifetime((few, many)) {}
    }
}
