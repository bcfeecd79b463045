import Glibc
import Testing

@testable import Daemon

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
