import Glibc
import TestSupport
import Testing

/// System calls of the built daemon fail in turn: start, fetch, eviction, stop (P6, DUR-2,
/// SWIFT-3).
@Suite("E49 errno sweep", .realParts)
struct E49_ErrnoSweepTests {
    /// One fault of a run: the `number`th call of this name on each thread fails.
    struct Fault: Sendable, CustomStringConvertible {
        let call: String
        let error: String
        let number: Int

        var description: String { "\(call) \(error) \(number)" }
        var injection: String { "inject=\(call):error=\(error):when=\(number)" }
    }

    // `CISTERN_TEST_LONG=1`: every fault of every call; else a few, drawn by the seed.
    @Test(.wholeMachine) func anIOErrorCostsOneObjectNotTheCache() throws {
        let seed = SeededGenerator.seedOfThisRun()
        var generator = SeededGenerator(seed: seed)
        let run = try ErrnoRun()
        var faults = try run.callsWithoutFaults().flatMap { call, count in
            (errorsOfCalls[call] ?? []).flatMap { error in
                (1...count).map { Fault(call: call, error: error, number: $0) }
            }
        }
        faults.sort { "\($0)" < "\($1)" }
        print("E49: \(faults.count) faults, CISTERN_TEST_SEED=\(seed)")
        #expect(faults.count > 500)
        if !isLongRun { faults = Self.sample(faults, &generator) }
        var found: [String] = []
        for fault in faults {
            let problems = try run.problems(fault)
            #expect(problems == [], "CISTERN_TEST_SEED=\(seed): \(fault)")
            found += problems
        }
        PromiseReport.add(
            "P6", "system calls of the daemon that failed, one at a time",
            figure: "\(faults.count) faults, \(found.count) problems", bound: "0",
            held: found.isEmpty)
    }

    /// One of each call, more of those that decide what is on the disk.
    private static func sample(
        _ faults: [Fault], _ generator: inout SeededGenerator
    ) -> [Fault] {
        let calls = Dictionary(grouping: faults, by: \.call).sorted { $0.key < $1.key }
        let many = ["openat", "pwrite64", "pread64", "fdatasync", "fsync", "renameat2"]
        return calls.flatMap { call, faults in
            faults.shuffled(using: &generator).prefix(many.contains(call) ? 3 : 1)
        }
    }
}

/// How calls that the daemon makes may fail in life.
///
/// Not EAGAIN of sockets: a kernel that has data does not say that there is none.
private let errorsOfCalls: [String: [String]] = [
    "openat": ["EIO", "ENOSPC", "EMFILE", "ENFILE", "ENOMEM", "EINTR"],
    "openat2": ["EAGAIN", "EIO", "EMFILE", "ENOMEM"],
    "pread64": ["EIO", "EINTR"], "preadv2": ["EAGAIN", "EOPNOTSUPP"],
    "pwrite64": ["EIO", "ENOSPC", "EDQUOT", "EINTR"],
    "fdatasync": ["EIO", "ENOSPC", "EDQUOT"], "fsync": ["EIO", "ENOSPC", "EDQUOT"],
    "renameat2": ["EIO", "ENOSPC", "EDQUOT"], "unlinkat": ["EIO", "ENOMEM"],
    "unlink": ["EIO"], "mkdirat": ["EIO", "ENOSPC", "EDQUOT"],
    "newfstatat": ["EIO", "ENOMEM"], "fstatfs": ["EIO"], "statfs": ["EIO"],
    "fallocate": ["ENOSPC", "EIO", "EOPNOTSUPP", "EINTR"], "ftruncate": ["EIO"],
    "getdents64": ["EIO"], "flock": ["ENOLCK", "EINTR"],
    "sendfile": ["EIO", "EINTR", "ENOMEM", "ECONNRESET"],
    "recvfrom": ["EINTR", "ECONNRESET", "ENOMEM"],
    "sendto": ["EINTR", "EPIPE", "ENOBUFS"], "writev": ["EINTR", "EPIPE"],
    "sendmsg": ["EINTR", "EPIPE", "ENOBUFS"], "write": ["EINTR"], "read": ["EINTR"],
    "accept4": ["EMFILE", "ENFILE", "ECONNABORTED", "ENOMEM", "EINTR"],
    "epoll_wait": ["EINTR"], "epoll_pwait": ["EINTR"], "epoll_ctl": ["ENOMEM", "ENOSPC"],
    "epoll_create1": ["EMFILE"], "eventfd2": ["EMFILE"], "signalfd4": ["EMFILE"],
    "socket": ["EMFILE", "ENFILE", "ENOBUFS"], "connect": ["ENETUNREACH", "EADDRNOTAVAIL"],
    "bind": ["EADDRINUSE"], "listen": ["EADDRINUSE"], "setsockopt": ["ENOMEM"],
    "getsockopt": ["ENOMEM"],
]

/// A life of a daemon with a fault, and what must be true of it.
private final class ErrnoRun {
    private let upstream: LoopbackRegistry
    private let configuration: DaemonConfiguration
    private let images: [ImageFixture]

    init() throws {
        upstream = try LoopbackRegistry(.dockerHub)
        upstream.state.with { $0.rateLimit = 1_000_000 }
        images = (0..<3).map {
            // Two of them fit.
            ImageFixture(
                seed: UInt64(4800 + $0), layerSizes: [100_000, 2_600_000], architectures: ["amd64"])
        }
        for (number, image) in images.enumerated() { upstream.add(image, "library/i\(number)") }
        configuration = DaemonConfiguration(upstream, cache: #"max_size = "9MiB""#)
    }

    /// How often each call is made by the thread that makes it most.
    func callsWithoutFaults() throws -> [String: Int] {
        let home = try TemporaryDirectory()
        let trace = home.file("trace")
        let calls = errorsOfCalls.keys.sorted().joined(separator: ",")
        let daemon = try start(home, ["-e", "trace=\(calls)", "-o", trace])
        #expect(live(daemon).isEmpty)
        var counts: [String: [Substring: Int]] = [:]
        for line in try Files.text(trace).split(separator: "\n") {
            // "123 sendfile(7, 9, [0] => [65536], 65536) = 65536"
            let words = line.split(maxSplits: 2) { " (".contains($0) }
            guard words.count == 3, errorsOfCalls[String(words[1])] != nil else { continue }
            counts[String(words[1]), default: [:]][words[0], default: 0] += 1
        }
        return counts.compactMapValues { $0.values.max() }
    }

    private func start(_ home: TemporaryDirectory, _ options: [String]) throws -> DaemonProcess {
        try DaemonProcess(
            configuration, home: home,
            wrapper: [try requireTool("strace"), "-f", "--seccomp-bpf", "-qq"] + options,
            within: .seconds(30))
    }

    /// What is not as promised with this fault.
    func problems(_ fault: E49_ErrnoSweepTests.Fault) throws -> [String] {
        let home = try TemporaryDirectory()
        let trace = home.file("trace")
        var problems: [String] = []
        do {
            let options = [
                "-y", "-e", "trace=\(fault.call),fsync,fdatasync", "-e", fault.injection, "-o",
                trace,
            ]
            problems += live(try start(home, options))
        } catch let error as TestFailure {
            problems += refusal(error.description)
        }
        if hasRetriedSync(trace) { problems.append("a sync was tried again") }
        return problems + after(home)
    }

    /// Pulls with eviction, then a stop.
    private func live(_ daemon: DaemonProcess) -> [String] {
        var problems: [String] = []
        for (number, image) in images.enumerated() {
            problems += pull(daemon, number, image)
        }
        // The fault is over; what it cost is pulled again.
        let last = images.count - 1
        let isRight = poll(within: .seconds(20)) {
            (try? puller(daemon, last).pull(images[last])) == []
        }
        if !isRight { problems.append("no pull is right any more") }
        switch daemon.stopInside(within: .seconds(20)) {
        case .exited: break
        case .killed(let signal): problems.append("ended by signal \(signal)")
        case nil: problems.append("does not stop")
        }
        if !problems.isEmpty { problems.append(String(daemon.log.suffix(1500))) }
        return problems
    }

    private func puller(_ daemon: DaemonProcess, _ number: Int) -> Puller {
        Puller(daemon, "/v2/docker.io/library/i\(number)")
    }

    /// One pull in which anything may fail, but nothing wrong may come.
    private func pull(_ daemon: DaemonProcess, _ number: Int, _ image: ImageFixture) -> [String] {
        let puller = puller(daemon, number)
        let wanted =
            [(puller.manifest("latest"), image.index.content)]
            + image.documents.map { (puller.manifest($0.digest), $0.content) }
            + image.blobs.map { (puller.blob($0), $0) }
        return wanted.compactMap { target, content in
            do {
                let answer = try RawClient.request(
                    daemon.address, target, sink: .compare(content), timeout: .seconds(20))
                if answer.isCompleteButWrong || answer.ending == .timedOut {
                    return "\(target): \(answer)"
                }
                return nil
            } catch SocketError.timedOut {
                return "\(target): no answer"
            } catch {
                return nil  // Cut or refused: that is a clean failure.
            }
        }
    }

    /// A daemon that does not start says why and ends by itself.
    private func refusal(_ text: String) -> [String] {
        let says = text.split(separator: "\n").dropFirst().filter { !$0.hasPrefix("time=") }
        guard text.contains("(exited("), !text.contains("(exited(0))"), !says.isEmpty,
            !text.contains("Fatal error")
        else { return ["no clean refusal: \(text.suffix(1500))"] }
        return []
    }

    /// Whether a blob's file was synced again after its sync had failed (DUR-2).
    private func hasRetriedSync(_ trace: String) -> Bool {
        var failed: Set<Substring> = []
        for line in ((try? Files.text(trace)) ?? "").split(separator: "\n")
        where line.contains("sync(") && line.contains("/blobs/") {
            guard
                let path = line.split(separator: "<").dropFirst().first?.prefix(while: { $0 != ">" }
                )
            else { continue }
            if failed.contains(path) { return true }
            // A shard directory is synced again for the next file; a file has a number.
            if line.contains("INJECTED"), path.contains(".") { failed.insert(path) }
        }
        return false
    }

    /// Without faults all is well, and nothing is left behind.
    private func after(_ home: TemporaryDirectory) -> [String] {
        do {
            let daemon = try DaemonProcess(configuration, home: home)
            var problems: [String] = []
            for (number, image) in images.enumerated() {
                problems += try puller(daemon, number).pull(image)
            }
            if daemon.log.contains("set aside") { problems.append("the index was set aside") }
            if daemon.stop() != .exited(0) { problems.append("does not stop well") }
            for file in Files.walk(daemon.storePath)
            where !file.isDirectory && file.path.contains("/blobs/") {
                let name = file.path.split(separator: "/").last ?? ""
                if MessageDigest.of(try Files.read(file.path)) != "sha256:\(name)" {
                    problems.append("left behind: \(file.path)")
                }
            }
            if Files.diskUsage(daemon.storePath) > 9 << 20 { problems.append("over the limit") }
            return problems
        } catch {
            return ["does not start again: \(error)"]
        }
    }
}
