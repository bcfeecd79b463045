import Glibc

/// The service manager's end of `$NOTIFY_SOCKET`: keeps what a daemon says about itself.
package final class NotifySocket: Sendable {
    /// For the daemon's environment.
    package let path: String
    private let home: TemporaryDirectory
    private let descriptor: Int32
    private let messages = Monitor<[String]>([])

    package init() throws {
        home = try TemporaryDirectory()
        path = home.file("notify")
        let number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        descriptor = number
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
        let code = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0 else { throw TestFailure("bind \(path): \(errno)") }
        let messages = messages
        ThreadStarter.start {
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = recv(number, &buffer, buffer.count, 0)
                if count <= 0 { return }
                let text = String(decoding: buffer[..<count], as: UTF8.self)
                messages.with { $0 += text.split(separator: "\n").map(String.init) }
            }
        }
    }

    deinit {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }

    /// All lines so far.
    package var lines: [String] { messages.read { $0 } }

    /// Waits until a line starts with `text`, `count` times in all.
    package func await(
        _ text: String, count: Int = 1, within limit: Duration = .seconds(20)
    ) -> Bool {
        messages.wait(limit) { lines in lines.count { $0.hasPrefix(text) } >= count }
    }
}
