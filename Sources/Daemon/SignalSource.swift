import CLinux
import Glibc
import Linux
import Reactor

/// The signals that mean something to the daemon, read from a descriptor of the loop.
final class SignalSource: Sendable {
    enum Meaning: Sendable { case stop, reload }

    private let descriptor: FileDescriptor

    /// Blocks the signals for this thread and all it starts, so call it first.
    init() throws(Errno) {
        let signals = [SIGTERM, SIGINT, SIGHUP]
        let raw = clinux_signalfd(signals, Int32(signals.count))
        if raw < 0 { throw Errno.last("signalfd") }
        descriptor = FileDescriptor(owning: raw)
    }

    /// Calls `handler` on `loop` for each signal, as long as the watch is held.
    ///
    /// Only from the loop.
    func watch(
        on loop: EventLoop, _ handler: @escaping (Meaning) -> Void
    ) throws(Errno) -> Watch {
        try loop.watch(descriptor.raw, [.read]) { [self] _ in
            while let signal = next() { handler(signal == SIGHUP ? .reload : .stop) }
        }
    }

    private func next() -> Int32? {
        let signal = clinux_read_signal(descriptor.raw)
        return signal > 0 ? signal : nil
    }
}
