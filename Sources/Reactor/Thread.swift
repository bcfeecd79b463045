import CLinux
import Glibc
import Linux

/// Threads of the daemon: loops, workers, the index, the log.
enum Thread {
    private final class Start: Sendable {
        let name: String
        let niceness: Int32
        let body: @Sendable () -> Void

        init(name: String, niceness: Int32, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.niceness = niceness
            self.body = body
        }
    }

    /// Runs `body` on a new detached thread; signals are left to the main thread.
    ///
    /// `niceness` is added to that of the process: with more of it the thread gives way to others.
    static func start(
        name: String, niceness: Int32 = 0, _ body: @escaping @Sendable () -> Void
    ) throws(Errno) {
        let start = Unmanaged.passRetained(Start(name: name, niceness: niceness, body: body))
        var thread = pthread_t()
        let result = pthread_create(&thread, nil, Thread.enter, start.toOpaque())
        guard result == 0 else {
            start.release()
            throw Errno(result, "pthread_create")
        }
        pthread_detach(thread)
    }

    private static let enter:
        @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = {
            argument in
            guard let argument else { return nil }
            let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
            var signals = sigset_t()
            sigfillset(&signals)
            pthread_sigmask(SIG_BLOCK, &signals, nil)
            clinux_set_thread_name(String(start.name.prefix(15)))
            // Linux does this to the calling thread only; making it nicer is never refused.
            if start.niceness > 0 { _ = nice(start.niceness) }
            start.body()
            return nil
        }
}
