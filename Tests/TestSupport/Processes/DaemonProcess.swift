import Glibc

/// A running `cistern serve` with a store and a configuration of its own.
package final class DaemonProcess: Sendable {
    package let child: ChildProcess
    /// Everything of this daemon that is on disk: configuration, store, log.
    package let home: TemporaryDirectory
    package let configurationFile: String
    /// `127.0.0.1:PORT` of each listener, in the order of the configuration.
    package let listeners: [String]
    /// `127.0.0.1:PORT` of the admin address.
    package let admin: String
    /// From the start of the process to its `ready` line.
    package let startUp: Duration
    private let logFile: String

    /// The first listener, as `127.0.0.1:PORT`.
    package var address: String { listeners.first ?? "" }
    package var url: String { "http://\(address)" }
    package var storePath: String { home.file("store") }
    package var identifier: Int32 { child.identifier }

    /// Where the store keeps `content`.
    package func path(of content: TestContent) -> String {
        let hex = content.digest.dropFirst(7)
        return "\(storePath)/blobs/sha256/\(hex.prefix(2))/\(hex)"
    }

    /// Starts a daemon with this configuration and waits until it is ready.
    ///
    /// `home` may be that of an earlier daemon, to go on with its store.
    package init(
        _ configuration: DaemonConfiguration, home: TemporaryDirectory? = nil,
        wrapper: [String] = [], environment: [String: String] = [:],
        passing descriptor: Int32? = nil, within limit: Duration = .seconds(30)
    ) throws {
        let home = try home ?? TemporaryDirectory()
        self.home = home
        configurationFile = try home.write(
            "config.toml", configuration.text(store: home.file("store")), mode: 0o600)
        let earlier = Files.names(home.path).count { $0.hasPrefix("log-") }
        let log = home.file("log-\(earlier)")
        let watch = Stopwatch()
        child = try ChildProcess(
            wrapper + [try DaemonProcess.binary(), "serve", "--config", configurationFile]
                + DaemonProcess.rootArguments,
            environment: environment, stdout: log + ".out", stderr: log, passing: descriptor)
        logFile = log
        let lines = try DaemonProcess.awaitReady(child, log, limit)
        startUp = watch.elapsed
        var listeners: [String] = []
        var admin = ""
        for line in lines where logValue("msg", in: line) == "listening" {
            let address = logValue("address", in: line) ?? ""
            if logValue("listener", in: line) == "admin" {
                admin = address
            } else {
                listeners.append(address)
            }
        }
        self.listeners = listeners
        self.admin = admin
    }

    deinit { Ceilings.note(workerIdentifier) }

    /// What the daemon said on stderr so far.
    package var log: String { (try? Files.text(logFile)) ?? "" }

    /// Waits until a log line contains `text`.
    @discardableResult
    package func awaitLog(_ text: String, within limit: Duration = .seconds(20)) -> Bool {
        poll(within: limit) { log.contains(text) }
    }

    /// Stops by SIGTERM and waits for the exit.
    @discardableResult
    package func stop(within limit: Duration = .seconds(40)) -> ChildProcess.Ending? {
        Ceilings.note(workerIdentifier)
        child.signal(SIGTERM)
        return child.wait(within: limit)
    }

    /// Stops the daemon itself where a wrapper keeps signals to itself, as strace does, and waits
    /// for the wrapper's exit, which is the daemon's.
    package func stopInside(within limit: Duration = .seconds(40)) -> ChildProcess.Ending? {
        Ceilings.note(workerIdentifier)
        if child.isRunning { _ = Glibc.kill(workerIdentifier, SIGTERM) }
        return child.wait(within: limit)
    }

    /// Ends the process as a power cut would, and waits until it is gone.
    package func kill() {
        Ceilings.note(workerIdentifier)
        child.terminate()
        _ = child.wait()
    }

    /// Resident memory now, and the most there ever was, in bytes.
    package var memory: (now: Int64, peak: Int64) {
        let status = ProcessStatus(workerIdentifier)
        return (status.kibibytes("VmRSS:") * 1024, status.kibibytes("VmHWM:") * 1024)
    }

    /// Processor time that the daemon has used so far, in seconds.
    package var processorSeconds: Double {
        let text = (try? Files.text("/proc/\(workerIdentifier)/stat")) ?? ""
        // The name, which may hold blanks, ends at the last parenthesis.
        let fields = text.split(separator: ")").last.map { $0.split(separator: " ") } ?? []
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12])
        else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Open descriptors of the daemon.
    package var descriptorCount: Int { Files.names("/proc/\(workerIdentifier)/fd").count }

    /// Files that are unlinked, but whose space the daemon still takes.
    package var unlinkedCount: Int {
        let directory = "/proc/\(workerIdentifier)/fd"
        return Files.names(directory).count { name in
            var target = [CChar](repeating: 0, count: 4096)
            let count = readlink("\(directory)/\(name)", &target, target.count)
            let bytes = target.prefix(max(0, count)).map { UInt8(bitPattern: $0) }
            return String(decoding: bytes, as: UTF8.self)
                .hasSuffix(" (deleted)")
        }
    }

    /// The daemon itself, where a wrapper such as strace started it.
    private var workerIdentifier: pid_t {
        let path = "/proc/\(identifier)/task/\(identifier)/children"
        let children = ((try? Files.text(path)) ?? "").split(separator: " ")
        return children.first.flatMap { pid_t($0) } ?? identifier
    }

    /// The value of a metric line, by its full name with labels, from `/metrics`.
    package func metric(_ name: String) throws -> Double? {
        let text = try RawClient.request(admin, "/metrics").text
        let line = text.split(separator: "\n").first { $0.hasPrefix(name + " ") }
        return line.flatMap { Double($0.split(separator: " ").last ?? "") }
    }

    /// The sum of all lines of a metric whose labels contain these parts.
    package func metricSum(_ name: String, _ parts: String...) throws -> Double {
        let text = try RawClient.request(admin, "/metrics").text
        return text.split(separator: "\n").reduce(0) { sum, line in
            let isWanted = line.hasPrefix(name + "{") || line.hasPrefix(name + " ")
            guard isWanted, parts.allSatisfy({ line.contains($0) }) else { return sum }
            return sum + (Double(line.split(separator: " ").last ?? "") ?? 0)
        }
    }

    /// `--allow-root` where the tests run as root.
    package static var rootArguments: [String] { geteuid() == 0 ? ["--allow-root"] : [] }

    /// The built `cistern`: `$CISTERN_BIN`, or beside the test binary.
    package static func binary() throws -> String {
        if let path = environment("CISTERN_BIN") { return path }
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let own = String(
            decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let candidates = [own, CommandLine.arguments.first ?? ""] + CommandLine.arguments
        for candidate in candidates where candidate.contains("/") {
            var directory = candidate[..<(candidate.lastIndex(of: "/") ?? candidate.endIndex)]
            for _ in 0..<4 {
                let path = "\(directory)/cistern"
                if access(path, X_OK) == 0, !Files.isDirectory(path) { return path }
                guard let slash = directory.lastIndex(of: "/") else { break }
                directory = directory[..<slash]
            }
        }
        throw TestFailure("the cistern binary is not built: swift build, or set CISTERN_BIN")
    }

    private static func awaitReady(
        _ child: ChildProcess, _ log: String, _ limit: Duration
    ) throws -> [Substring] {
        var lines: [Substring] = []
        let isReady = poll(within: limit) {
            lines = ((try? Files.text(log)) ?? "").split(separator: "\n")
            let ready = lines.contains { logValue("msg", in: $0) == "ready" }
            return ready || !child.isRunning
        }
        guard isReady, child.isRunning else {
            let ending = child.wait(within: .zero)
            child.terminate()
            throw TestFailure(
                "the daemon did not get ready (\(ending.map { "\($0)" } ?? "still running")):\n"
                    + lines.joined(separator: "\n"))
        }
        return lines
    }
}

/// The value of a key in a logfmt line.
package func logValue(_ key: String, in line: some StringProtocol) -> String? {
    var rest = Substring(line)
    while let found = rest.range(ofText: key + "=") {
        let isStart = found == rest.startIndex || rest[rest.index(before: found)] == " "
        let value = rest[rest.index(found, offsetBy: key.count + 1)...]
        if isStart {
            if value.first == "\"" { return String(value.dropFirst().prefix { $0 != "\"" }) }
            return String(value.prefix { $0 != " " })
        }
        rest = value
    }
    return nil
}

extension Substring {
    /// Where `text` starts, without Foundation.
    fileprivate func range(ofText text: String) -> Index? {
        indices.first { self[$0...].hasPrefix(text) }
    }
}

/// Asks again, a hundred times a second, until `condition` holds; false after `limit`.
///
/// For conditions in other processes, which cannot wake a waiter.
@discardableResult
package func poll(within limit: Duration = .seconds(30), _ condition: () throws -> Bool) rethrows
    -> Bool
{
    let watch = Stopwatch()
    let pause = Monitor(())
    while true {
        if try condition() { return true }
        if watch.elapsed > limit { return false }
        pause.wait(.milliseconds(10)) { _ in false }
    }
}
