import Glibc
import Linux

/// Tells systemd how the service is doing (sd_notify), without its library.
///
/// Each message is one datagram to `$NOTIFY_SOCKET`. Without a service manager every call does
/// nothing. A message that cannot be delivered is dropped: there is nobody else to tell.
final class ServiceNotifier: Sendable {
    /// Half of the unit's `WatchdogSec=`, the interval of `watchdog()`; nil when nobody watches.
    let watchdogInterval: Duration?
    private let channel: Channel?

    /// Reads `$NOTIFY_SOCKET`, `$WATCHDOG_USEC` and `$WATCHDOG_PID` and removes them.
    ///
    /// To be called at start, before there are threads. Removed variables cannot mislead a child.
    init(environment: ServiceEnvironment = .process) {
        let path = environment.take("NOTIFY_SOCKET")
        watchdogInterval = ServiceNotifier.watchdogInterval(
            microseconds: environment.take("WATCHDOG_USEC"), pid: environment.take("WATCHDOG_PID"))
        channel = path.flatMap { Channel(path: $0) }
    }

    /// The daemon serves: after start, and after a reload whatever became of it.
    func ready(status: String) {
        send("READY=1\nSTATUS=\(ServiceNotifier.oneLine(status))", mayWait: true)
    }

    /// What `systemctl status` shows.
    func status(_ text: String) {
        send("STATUS=\(ServiceNotifier.oneLine(text))", mayWait: false)
    }

    /// A reload began; `ready` must follow.
    ///
    /// The time lets `Type=notify-reload` (systemd 253 and later) tell this reload from an earlier.
    func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let microseconds = Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000
        send("RELOADING=1\nMONOTONIC_USEC=\(microseconds)", mayWait: true)
    }

    /// The daemon drains and will end.
    func stopping(status: String) {
        send("STOPPING=1\nSTATUS=\(ServiceNotifier.oneLine(status))", mayWait: true)
    }

    /// The daemon is alive; sent only after the checks of OPS-3.
    func watchdog() {
        send("WATCHDOG=1", mayWait: false)
    }

    private func send(_ message: String, mayWait: Bool) {
        channel?.send(Array(message.utf8), flags: mayWait ? 0 : Int32(MSG_DONTWAIT))
    }

    /// A status is one line of the datagram; anything else in it would be a field of its own.
    private static func oneLine(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }

    /// Half of the time after which systemd gives up, if it is this process that is watched.
    private static func watchdogInterval(microseconds: String?, pid: String?) -> Duration? {
        guard let microseconds = microseconds.flatMap({ Int64($0) }), microseconds > 1 else {
            return nil
        }
        if let pid, pid != String(getpid()) { return nil }
        return .microseconds(microseconds / 2)
    }

    /// The socket that messages leave by and the address they go to.
    private final class Channel: Sendable {
        /// How long a message that changes what systemd believes may wait for it to read.
        ///
        /// The others are repeated by themselves and never wait.
        private static let patience = timeval(tv_sec: 1, tv_usec: 0)

        private let socket: FileDescriptor
        private let address: sockaddr_un
        private let addressLength: socklen_t

        /// A channel to a path, or to an abstract socket when the path begins with `@`.
        init?(path: String) {
            guard path.hasPrefix("/") || path.hasPrefix("@") else { return nil }
            var bytes = Array(path.utf8)
            if path.hasPrefix("@") { bytes[0] = 0 }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
            self.address = address
            let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
            addressLength = socklen_t(offset + bytes.count)
            let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            let raw = Glibc.socket(AF_UNIX, type, 0)
            guard raw >= 0 else { return nil }
            socket = FileDescriptor(owning: raw)
            var patience = Channel.patience
            setsockopt(
                raw, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        }

        func send(_ message: [UInt8], flags: Int32) {
            var result = 0
            repeat {
                result = withUnsafePointer(to: address) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        sendto(
                            socket.raw, message, message.count, flags | Int32(MSG_NOSIGNAL), $0,
                            addressLength)
                    }
                }
            } while result < 0 && errno == EINTR
        }
    }
}
