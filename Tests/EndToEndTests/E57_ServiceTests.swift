import Glibc
import TestSupport
import Testing

/// As a service: notifications, watchdog, socket activation, the built-in configuration.
@Suite("E57 service", .realParts)
struct E57_ServiceTests {
    @Test func systemdIsToldWhatHappens() throws {
        let notify = try NotifySocket()
        let upstream = try LoopbackRegistry()
        let daemon = try DaemonProcess(
            DaemonConfiguration(upstream),
            environment: ["NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "1000000"])
        #expect(notify.await("READY=1"))
        #expect(notify.await("STATUS="))
        #expect(notify.await("WATCHDOG=1", count: 2))
        daemon.child.signal(SIGHUP)
        #expect(notify.await("RELOADING=1"))
        #expect(notify.await("MONOTONIC_USEC="))
        #expect(notify.await("READY=1", count: 2))
        #expect(daemon.stop() == .exited(0))
        #expect(notify.await("STOPPING=1"))
    }

    @Test func socketsOfTheServiceManagerAreUsed() throws {
        let upstream = try LoopbackRegistry()
        let image = ImageFixture(seed: 57)
        upstream.add(image, "library/a")
        var configuration = DaemonConfiguration(upstream)
        configuration.listeners = [#"address = "systemd:registry""#]
        // A port that was free a moment ago.
        let port = try LoopbackServer { _ in ResponsePlan() }.port
        let address = "127.0.0.1:\(port)"
        // The first connection starts the daemon.
        let first = TestThread {
            var status: Int?
            poll { () -> Bool in
                status = try? RawClient.request(address, "/v2/").status
                return status != nil
            }
            return status
        }
        let daemon = try DaemonProcess(
            configuration,
            wrapper: [
                try requireTool("systemd-socket-activate"), "--fdname=registry", "-l", address,
            ])
        #expect(try first.value() == 200)
        #expect(try Puller(address, "/v2/docker.io/library/a").pull(image) == [])
        #expect(daemon.stop() == .exited(0))
    }

    @Test func withoutAFileTheBuiltInSixAreServed() throws {
        let home = try TemporaryDirectory()
        let log = home.file("log")
        let child = try ChildProcess(
            [try DaemonProcess.binary(), "serve", "--listen", "127.0.0.1:0"]
                + DaemonProcess.rootArguments,
            environment: [
                "STATE_DIRECTORY": home.file("state"),
                "CISTERN__ADMIN__ADDRESS": "127.0.0.1:0", "CISTERN__LOG__FORMAT": "logfmt",
            ], stdout: "/dev/null", stderr: log)
        defer { child.terminate() }
        #expect(poll { (try? Files.text(log))?.contains("msg=ready") == true })
        let text = try Files.text(log)
        for registry in [
            "docker.io", "quay.io", "ghcr.io", "registry.k8s.io", "gcr.io", "mcr.microsoft.com",
        ] {
            #expect(text.contains(registry), "\(text)")
        }
        #expect(Files.exists(home.file("state")))
        child.signal(SIGTERM)
        #expect(child.wait(within: .seconds(10)) == .exited(0))
    }

    @Test func theEnvironmentWinsOverTheFile() throws {
        let upstream = try LoopbackRegistry()
        let home = try TemporaryDirectory()
        let elsewhere = home.file("elsewhere")
        let daemon = try DaemonProcess(
            DaemonConfiguration(upstream), environment: ["CISTERN__CACHE__PATH": elsewhere])
        #expect(Files.exists(elsewhere))
        #expect(!Files.exists(daemon.storePath))
        #expect(throws: TestFailure.self) {
            _ = try DaemonProcess(
                DaemonConfiguration(upstream), environment: ["CISTERN__CACHE__PAHT": elsewhere])
        }
    }

    // OPS-3: a store that takes no file any more is no daemon to keep.
    @Test func theWatchdogIsNotFedWithoutAStore() throws {
        let notify = try NotifySocket()
        let upstream = try LoopbackRegistry()
        let daemon = try DaemonProcess(
            DaemonConfiguration(upstream),
            environment: ["NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "400000"])
        #expect(notify.await("WATCHDOG=1", count: 2))
        #expect(try RawClient.request(daemon.admin, "/readyz").status == 200)
        // It may write between the look at what is there and its removal.
        #expect(
            poll {
                Files.removeTree(daemon.storePath)
                return !Files.exists(daemon.storePath)
            })
        let isDown = poll(within: .seconds(40)) {
            (try? RawClient.request(daemon.admin, "/readyz").status) == 503
        }
        #expect(isDown)
        // One may have been on its way.
        let before = notify.lines.count { $0 == "WATCHDOG=1" }
        #expect(!notify.await("WATCHDOG=1", count: before + 2, within: .seconds(2)))
        #expect(try RawClient.request(daemon.admin, "/healthz").status == 200)
    }

    // LOC-3
    @Test func noCoreIsDumped() throws {
        let upstream = try LoopbackRegistry()
        let daemon = try DaemonProcess(DaemonConfiguration(upstream))
        let limits = try Files.text("/proc/\(daemon.identifier)/limits")
        let core = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
        #expect(core?.split(separator: " ").dropFirst(4).prefix(2) == ["0", "0"], "\(core ?? "")")
        withExtendedLifetime(upstream) {}
    }
}
