import Glibc
import Linux

/// The thread that formats queued events and writes them; it alone may block on the output.
struct LogWriter {
    /// Formatted bytes after which they are written, so that one batch does not grow the buffer.
    private static let writeBytesMax = 64 * 1024

    private static let stackBytes = 256 * 1024

    let queue: LogQueue
    let descriptor: Int32
    private var formatter: LogFormatter
    private var bytes: [UInt8] = []

    init(queue: LogQueue, descriptor: Int32, style: LogStyle) {
        self.queue = queue
        self.descriptor = descriptor
        formatter = LogFormatter(style: style)
    }

    /// Starts the thread; it ends when the queue is closed and empty.
    ///
    /// - Returns: Whether the thread could be started.
    func start() -> Bool {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, LogWriter.stackBytes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let box = Unmanaged.passRetained(Box(self))
        var thread = pthread_t()
        let result = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                let box = Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
                LogWriter.blockSignals()
                box.writer.run()
                return nil
            }, box.toOpaque())
        if result != 0 { box.release() }
        return result == 0
    }

    /// Signals are the loops' affair, whoever started first.
    private static func blockSignals() {
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
    }

    private mutating func run() {
        while let (events, dropped) = queue.take() {
            if dropped > 0 { appendDropped(dropped) }
            for event in events {
                formatter.append(event, to: &bytes)
                if bytes.count >= LogWriter.writeBytesMax { writeOut() }
            }
            writeOut()
            queue.wrote(events.count)
        }
    }

    private mutating func appendDropped(_ count: Int) {
        let event = LogEvent(
            level: .warn, wallMilliseconds: WallClock.milliseconds(),
            content: .message("log_lines_dropped", [("lines", .integer(Int64(count)))]))
        formatter.append(event, to: &bytes)
    }

    /// Writes the buffer, waiting for a slow reader; an output that is gone loses the lines.
    private mutating func writeOut() {
        var offset = 0
        while offset < bytes.count {
            do {
                offset += try bytes.withUnsafeBytes { buffer in
                    try System.write(
                        descriptor, UnsafeRawBufferPointer(rebasing: buffer[offset...]))
                }
            } catch let error as Errno where error.wouldBlock {
                var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&request, 1, -1)
            } catch {
                break
            }
        }
        bytes.removeAll(keepingCapacity: true)
    }

    /// Carries the writer through a C pointer to its thread.
    private final class Box {
        var writer: LogWriter

        init(_ writer: LogWriter) {
            self.writer = writer
        }
    }
}
