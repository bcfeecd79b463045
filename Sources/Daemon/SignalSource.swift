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

    /// Calls `handler` on `loop` for each signal, as long as the watch is held. Only from the loop.
    func watch(
        on loop: EventLoop, _ handler: @escaping (Meaning) -> Void
    ) throws(Errno) -> Watch {
        try loop.watch(descriptor.raw, [.read]) { [self] _ in
            while let signal = next() { handler(signal == SIGHUP ? .reload : .stop) }
        }
    }

    private func next() -> Int32? {
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        let count = withUnsafeMutableBytes(of: &info) { buffer in
            Glibc.read(descriptor.raw, buffer.baseAddress, size)
        }
        return count == size ? Int32(bitPattern: info.ssi_signo) : nil
    }
}
