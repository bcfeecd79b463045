package import Configuration
import Glibc
import Linux
import Reactor
import Synchronization
import Telemetry

/// The daemon's entry: runs until told to stop.
package enum DaemonMain {
    /// Serves `configuration` and gives the process's exit code.
    ///
    /// `reload` reads the configuration again, for SIGHUP (OPS-2).
    package static func run(
        _ configuration: Configuration,
        reload: @escaping @Sendable () -> Result<Configuration, ConfigurationErrors>
    ) -> Int32 {
        ProcessSetup.run()
        let end = ExitCode()
        do throws(DaemonError) {
            let runtime = try Runtime(configuration)
            let daemon = Daemon(runtime, configuration, reload: reload, end: end)
            runtime.home.spawn {
                do throws(DaemonError) {
                    try await daemon.start()
                } catch {
                    Self.complain(error)
                    end.set(error.code.rawValue)
                }
            }
            let code = end.wait()
            runtime.logger.flush()
            return code
        } catch {
            complain(error)
            return error.code.rawValue
        }
    }

    /// Start-up errors go to people directly, as the command line writes them.
    private static func complain(_ error: DaemonError) {
        let text = Array(error.text.utf8)
        _ = text.withUnsafeBytes { try? System.write(2, $0) }
    }
}

/// The exit code that the main thread waits for.
///
/// `@unchecked Sendable`: the semaphore is made for several threads; `code` is atomic.
final class ExitCode: @unchecked Sendable {
    private let semaphore: UnsafeMutablePointer<sem_t>
    private let code = Atomic<Int32>(0)

    init() {
        semaphore = .allocate(capacity: 1)
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func set(_ code: Int32) {
        self.code.store(code, ordering: .releasing)
        sem_post(semaphore)
    }

    func wait() -> Int32 {
        while sem_wait(semaphore) != 0 {}
        return code.load(ordering: .acquiring)
    }
}
