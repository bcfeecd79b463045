import Glibc
import Linux

/// The listening sockets that systemd opened before it started the daemon (sd_listen_fds).
///
/// They let it listen on any port without privilege and keep clients waiting, instead of failing,
/// while the daemon restarts.
struct SocketActivation: ~Copyable {
    /// A descriptor that systemd passed but the daemon cannot use.
    struct Unusable: Error, CustomStringConvertible {
        let descriptor: Int32
        let name: String
        let reason: String

        var description: String {
            "descriptor \(descriptor), passed by systemd as \"\(name)\", \(reason)"
        }
    }

    private struct Passed {
        let name: String
        let raw: Int32
    }

    /// The first descriptor that is passed; the protocol fixes it.
    static let firstDescriptor: Int32 = 3

    /// More than anybody passes; a larger number is not believed.
    private static let descriptorsMax: Int32 = 1024

    /// Passed sockets nobody has taken yet; this value owns them.
    private var passed: [Passed]

    /// Reads `$LISTEN_PID`, `$LISTEN_FDS` and `$LISTEN_FDNAMES`, removes them, takes the sockets.
    ///
    /// To be called once, at start, before there are threads and before anything is opened. The
    /// sockets become non-blocking and close-on-exec.
    ///
    /// - Throws: When one of them is not a listening socket.
    init(
        environment: ServiceEnvironment = .process, first: Int32 = firstDescriptor
    ) throws(Unusable) {
        let pid = environment.take("LISTEN_PID")
        let count = environment.take("LISTEN_FDS").flatMap { Int32($0) } ?? 0
        let names = environment.take("LISTEN_FDNAMES")?.split(
            separator: ":", omittingEmptySubsequences: false)
        passed = []
        guard pid == String(getpid()), (1...SocketActivation.descriptorsMax).contains(count) else {
            return
        }
        for index in 0..<count {
            let raw = first + index
            let position = Int(index)
            let name = names.flatMap { $0.count > position ? String($0[position]) : nil }
            let socket = Passed(name: name ?? "unknown", raw: raw)
            try SocketActivation.check(socket)
            passed.append(socket)
        }
    }

    deinit {
        for socket in passed { close(socket.raw) }
    }

    /// The names that still have sockets, each once.
    var names: Set<String> {
        Set(passed.map(\.name))
    }

    /// Hands over all sockets of a `FileDescriptorName=`; none when there is none of that name.
    mutating func take(named name: String, _ body: (consuming FileDescriptor) -> Void) {
        let taken = passed.filter { $0.name == name }
        passed.removeAll { $0.name == name }
        for socket in taken { body(FileDescriptor(owning: socket.raw)) }
    }

    private static func check(_ socket: Passed) throws(Unusable) {
        func refuse(_ reason: String) -> Unusable {
            Unusable(descriptor: socket.raw, name: socket.name, reason: reason)
        }
        var isListening: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(socket.raw, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &length) == 0 else {
            throw refuse("is not a socket")
        }
        guard isListening == 1 else {
            throw refuse("is not listening (Accept=yes is not supported)")
        }
        let flags = fcntl(socket.raw, F_GETFL)
        guard flags >= 0, fcntl(socket.raw, F_SETFL, flags | O_NONBLOCK) == 0,
            fcntl(socket.raw, F_SETFD, FD_CLOEXEC) == 0
        else { throw refuse("cannot be set up: \(Errno.last("fcntl"))") }
    }
}
