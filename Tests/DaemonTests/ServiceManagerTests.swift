import Glibc
import Linux
import TestSupport
import Testing

/// The built daemon under a service manager: systemd's own launcher, and a notify socket.
@Suite struct ServiceManagerTests {
    private static let launcher = "/usr/bin/systemd-socket-activate"

    /// A port that was free a moment ago: the launcher cannot say which one it was given.
    private func freePort() throws -> UInt16 {
        let listener = try System.listen(host: "127.0.0.1", port: 0, backlog: 1)
        return try System.localAddress(listener.raw).port
    }

    @Test(.enabled(if: access(launcher, X_OK) == 0))
    func theDefaultListenerIsTheSocketThatSystemdPassed() throws {
        let home = try TemporaryDirectory()
        let address = "127.0.0.1:\(try freePort())"
        let log = home.file("log")
        let child = try ChildProcess(
            [
                Self.launcher, "--listen", address, "--fdname", "registry", "-E",
                "CISTERN__ADMIN__ADDRESS=127.0.0.1:0", try DaemonProcess.binary(), "serve",
                "--store", home.file("store"),
            ] + DaemonProcess.rootArguments, stdout: home.file("out"), stderr: log)
        #expect(poll { (try? Files.text(log))?.contains("Listening on \(address)") == true })
        // The daemon starts at the first connection, which waits for it in the kernel.
        let answer = try RawClient.request(address, "/v2/")
        #expect(answer.status == 200)
        let line = "msg=listening address=\(address) "
        #expect(poll { (try? Files.text(log))?.contains(line) == true })
        child.signal(SIGTERM)
        #expect(child.wait() == .exited(0))
    }

    @Test func theManagerIsToldOfEachStep() throws {
        let manager = try Manager()
        let daemon = try DaemonProcess(
            DaemonConfiguration(),
            environment: ["NOTIFY_SOCKET": "@\(manager.name)", "WATCHDOG_USEC": "200000"])
        var seen = ""
        func awaitMessage(_ wanted: String) -> Bool {
            poll {
                while let message = manager.next() { seen += message + "\n" }
                return seen.contains(wanted)
            }
        }
        #expect(awaitMessage("READY=1\nSTATUS="))
        #expect(awaitMessage("WATCHDOG=1"))
        seen = ""
        daemon.child.signal(SIGHUP)
        #expect(awaitMessage("RELOADING=1\nMONOTONIC_USEC="))
        #expect(awaitMessage("READY=1"))
        daemon.child.signal(SIGTERM)
        #expect(awaitMessage("STOPPING=1"))
        #expect(daemon.child.wait() == .exited(0))
    }
}
