import TestSupport

/// A daemon that is killed now and then, and clients that find it again.
final class SoakSite: Sendable {
    /// How long a blob without a manifest stays, in this configuration.
    static let lease = Duration.seconds(8)
    /// What clients trust in of it: clocks count whole seconds, and machines are busy.
    static let trusted = Duration.seconds(5)

    private struct Running {
        var daemon: DaemonProcess
        var kills = 0
        /// Of daemons before this one.
        var counted: [String: Double] = [:]
        /// Manifests that somebody tried to push, by digest: a kill leaves open what came of it.
        var tried: Set<String> = []
    }

    private let home: TemporaryDirectory
    private let configuration: DaemonConfiguration
    private let running: Monitor<Running>
    let upstream: LoopbackRegistry
    let watch = Stopwatch()

    init() throws {
        home = try TemporaryDirectory()
        upstream = try LoopbackRegistry()
        let passwords = try home.write("htpasswd", HostedScene.passwordLine, mode: 0o600)
        configuration = DaemonConfiguration(
            [
                """
                [auth]
                htpasswd = "\(passwords)"
                [[auth.rule]]
                users = ["\(HostedScene.user)"]
                repositories = ["*", "**"]
                allow = ["pull", "push", "delete"]
                """,
                "[repositories.releases]\ntype = \"hosted\"\ndelete = true",
                "[repositories.nightly]\ntype = \"hosted\"\nkeep = { last = 3 }",
                DaemonConfiguration.proxy("docker.io", upstream),
            ],
            cache: """
                max_size = "40MiB"
                min_free = "1MiB"
                collect = "1s"
                lease = "\(Self.lease.components.seconds)s"
                """)
        running = Monitor(Running(daemon: try DaemonProcess(configuration, home: home)))
    }

    var address: String { running.read { $0.daemon.address } }
    var kills: Int { running.read { $0.kills } }
    var daemon: DaemonProcess { running.read { $0.daemon } }

    /// Ends the daemon and starts another one on its store.
    func restart(killing: Bool) throws {
        let old = daemon
        count(of: old)
        if killing { old.kill() } else { old.stop() }
        let new = try DaemonProcess(configuration, home: home, within: .seconds(180))
        running.with {
            $0.daemon = new
            $0.kills += killing ? 1 : 0
        }
    }

    private static let counters = ["cistern_hosted_collected_total", "cistern_evicted_blobs_total"]

    private func count(of daemon: DaemonProcess) {
        for name in Self.counters {
            let sum = (try? daemon.metricSum(name)) ?? 0
            running.with { $0.counted[name, default: 0] += sum }
        }
    }

    /// What all daemons together let go of, and evicted.
    func totals() -> (collected: Int, evicted: Int) {
        let counted = running.read { $0.counted }
        let sums = Self.counters.map { name in
            Int((counted[name] ?? 0) + ((try? daemon.metricSum(name)) ?? 0))
        }
        return (sums[0], sums[1])
    }

    /// Deletes what a push left that was never acknowledged, and nobody knows of.
    func deleteTried() {
        for place in running.read({ $0.tried.sorted() }) where place.hasPrefix("/v2/releases/") {
            _ = attempt("DELETE", place)
        }
    }

    // MARK: - Requests

    /// One request; nil if nobody can tell what came of it.
    func attempt(
        _ method: String, _ target: String, _ body: [UInt8] = [], _ sink: RawClient.Sink = .keep
    ) -> WireResponse? {
        if method == "PUT", let end = target.ranges(of: "/manifests/").last {
            let place = target[..<end.upperBound] + MessageDigest.of(body)
            running.with { _ = $0.tried.insert(String(place)) }
        }
        guard let client = try? RawClient(address) else { return nil }
        client.socket.setTimeout(.seconds(120))
        let isRead = method == "GET" || method == "HEAD"
        let answer =
            isRead
            ? try? client.request(
                target, method: method, fields: [HostedScene.login], sink: sink)
            : try? client.request(
                target, method: method, fields: [HostedScene.login], body: body)
        return answer?.ending == .complete ? answer : nil
    }

    /// What is at a target, asked again until somebody answers.
    func look(
        _ target: String, _ method: String = "GET", _ sink: RawClient.Sink = .keep
    ) throws -> WireResponse {
        var found: WireResponse?
        poll(within: .seconds(240)) {
            found = attempt(method, target, [], sink)
            return found != nil
        }
        guard let found else { throw TestFailure("nobody answers \(target)") }
        return found
    }
}
