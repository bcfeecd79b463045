import Glibc
import Linux
import Testing

@testable import Daemon

/// The manager's end of `$NOTIFY_SOCKET`, in the abstract namespace.
private final class Manager {
    let name: String
    private let descriptor: Int32

    init() throws {
        name = "cistern-test-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: [0] + name.utf8) }
        let length = socklen_t(2 + 1 + name.utf8.count)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length)
            }
        }
        try #require(result == 0)
    }

    deinit {
        close(descriptor)
    }

    /// The next message, which must be there already.
    func next() -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }
}

@Suite struct ServiceNotifierTests {
    private func notifier(_ manager: Manager) -> ServiceNotifier {
        ServiceNotifier(environment: .variables(["NOTIFY_SOCKET": "@\(manager.name)"]))
    }

    @Test func messagesAreSingleDatagrams() throws {
        let manager = try Manager()
        let notifier = notifier(manager)
        notifier.ready(status: "serving 127.0.0.1:5000")
        notifier.status("hit 93 %\nREADY=0")
        notifier.watchdog()
        notifier.stopping(status: "draining")
        #expect(manager.next() == "READY=1\nSTATUS=serving 127.0.0.1:5000")
        #expect(manager.next() == "STATUS=hit 93 % READY=0")
        #expect(manager.next() == "WATCHDOG=1")
        #expect(manager.next() == "STOPPING=1\nSTATUS=draining")
        #expect(manager.next() == nil)
    }

    @Test func aReloadSaysWhenItBegan() throws {
        let manager = try Manager()
        notifier(manager).reloading()
        let message = try #require(manager.next())
        let prefix = "RELOADING=1\nMONOTONIC_USEC="
        #expect(message.hasPrefix(prefix))
        #expect((Int64(message.dropFirst(prefix.count)) ?? 0) > 0)
    }

    @Test func aManagerThatDoesNotReadCannotStopTheDaemon() throws {
        let manager = try Manager()
        let notifier = notifier(manager)
        for _ in 0..<10_000 { notifier.watchdog() }
        #expect(manager.next() == "WATCHDOG=1")
    }

    @Test func withoutAManagerNothingHappens() {
        for socket in [nil, "", "relative", "@" + String(repeating: "x", count: 200)] {
            let variables = socket.map { ["NOTIFY_SOCKET": $0] } ?? [:]
            let notifier = ServiceNotifier(environment: .variables(variables))
            notifier.ready(status: "serving")
            #expect(notifier.watchdogInterval == nil)
        }
    }

    @Test func theWatchdogIsFedTwicePerPeriodAndOnlyByTheProcessItMeans() {
        func interval(_ variables: [String: String]) -> Duration? {
            ServiceNotifier(environment: .variables(variables)).watchdogInterval
        }
        let me = String(getpid())
        #expect(interval(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": me]) == .seconds(15))
        #expect(interval(["WATCHDOG_USEC": "30000000"]) == .seconds(15))
        #expect(interval(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"]) == nil)
        #expect(interval(["WATCHDOG_USEC": "soon"]) == nil)
        #expect(interval([:]) == nil)
    }

    @Test func theVariablesAreRemoved() {
        var taken: Set<String> = []
        _ = ServiceNotifier(environment: .variables([:]) { taken.insert($0) })
        #expect(taken == ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"])
    }
}
