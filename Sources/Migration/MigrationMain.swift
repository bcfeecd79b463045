import CLinux
import Glibc
package import Linux
import Reactor
import Synchronization

/// The entry of `cistern copy` and `cistern migrate`: runs a job to its end.
package enum MigrationMain {
    /// Does the job and gives how it ended; SIGINT and SIGTERM end it in order, a second one at
    /// once.
    package static func run(
        _ job: CopyJob, _ output: CopyOutput
    ) throws(Errno) -> CopyEnding {
        // A registry that hangs up is an error of a transfer, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let signals = try StopSignals()
        let loop = try EventLoop.start(name: "copy")
        let ending = Ending()
        let done = try DoneSignal()
        let task = Task(executorPreference: loop) {
            ending.set(await CopyRun(job, on: loop, output).run())
            done.send()
        }
        loop.post { signals.watch(on: loop) { task.cancel() } }
        done.wait()
        return ending.value ?? .interrupted
    }

    private final class Ending: Sendable {
        private let state = Mutex<CopyEnding?>(nil)

        var value: CopyEnding? { state.withLock { $0 } }

        func set(_ value: CopyEnding) { state.withLock { $0 = value } }
    }
}

/// What the main thread waits for: a pipe with a byte in it.
private final class DoneSignal: Sendable {
    private let reading: FileDescriptor
    private let writing: FileDescriptor

    init() throws(Errno) {
        var ends: [Int32] = [-1, -1]
        guard clinux_pipe(&ends) == 0 else { throw Errno(errno, "pipe") }
        reading = FileDescriptor(owning: ends[0])
        writing = FileDescriptor(owning: ends[1])
    }

    func send() {
        var byte: UInt8 = 1
        _ = Glibc.write(writing.raw, &byte, 1)
    }

    func wait() {
        var byte: UInt8 = 0
        while Glibc.read(reading.raw, &byte, 1) < 0, errno == EINTR {}
    }
}

/// SIGINT and SIGTERM, read from a descriptor of the loop.
private final class StopSignals: Sendable {
    private let descriptor: FileDescriptor
    private let count = Atomic(0)

    /// Blocks the signals for this thread and all it starts, so call it first.
    init() throws(Errno) {
        let signals = [SIGTERM, SIGINT]
        let raw = clinux_signalfd(signals, Int32(signals.count))
        if raw < 0 { throw Errno(errno, "signalfd") }
        descriptor = FileDescriptor(owning: raw)
    }

    /// Calls `stop` at the first signal; the second ends the process.
    ///
    /// Only from the loop.
    func watch(on loop: EventLoop, _ stop: @escaping @Sendable () -> Void) {
        // Watched as long as the loop lives: the watch is held by its own handler.
        var watch: Watch?
        watch = try? loop.watch(descriptor.raw, [.read]) { [self] _ in
            _ = watch
            while clinux_read_signal(descriptor.raw) > 0 {
                if count.wrappingAdd(1, ordering: .relaxed).oldValue > 0 { _exit(130) }
                stop()
            }
        }
    }
}
