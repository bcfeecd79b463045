import Glibc

/// Where a byte stream ended, as the kernel tells it.
package enum SocketError: Error, Equatable, CustomStringConvertible {
    case refused
    case reset
    case timedOut
    case failed(String)

    package var description: String {
        switch self {
        case .refused: "connection refused"
        case .reset: "connection reset"
        case .timedOut: "timed out"
        case .failed(let text): text
        }
    }
}

/// A blocking TCP socket on loopback, closed when its last owner lets go.
package final class TestSocket: Sendable {
    package let descriptor: Int32
    private let isClosed = Monitor(false)

    init(owning descriptor: Int32) { self.descriptor = descriptor }

    deinit { close() }

    /// Closes now; other threads must not use the socket any more (they may `shutDown()` it
    /// before).
    package func close() {
        let closesNow = isClosed.with { closed in
            defer { closed = true }
            return !closed
        }
        if closesNow { Glibc.close(descriptor) }
    }

    /// Ends both directions, which also ends calls of other threads that block on the socket.
    package func shutDown() {
        isClosed.with { if !$0 { _ = shutdown(descriptor, Int32(SHUT_RDWR)) } }
    }

    /// Ends the sending direction: the peer sees FIN after all bytes.
    package func finishSending() { _ = shutdown(descriptor, Int32(SHUT_WR)) }

    /// Closes with RST instead of FIN.
    package func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// Connects to `address` (dotted quad) and `port`, from `source` if that is given.
    package static func connect(
        _ address: String, _ port: UInt16, receiveBuffer: Int32? = nil, from source: String? = nil
    ) throws -> TestSocket {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SocketError.failed("socket: \(lastError())") }
        let result = TestSocket(owning: descriptor)
        if let receiveBuffer { result.setOption(SO_RCVBUF, receiveBuffer) }
        if let source { try result.bindSource(source) }
        var name = socketAddress(address, port)
        let code = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code != 0 {
            if errno == ECONNREFUSED { throw SocketError.refused }
            throw SocketError.failed("connect: \(lastError())")
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        result.setTimeout(.seconds(60))
        return result
    }

    /// Listens at `address` and `port` (0: any) and tells the port.
    static func listen(_ address: String, _ port: UInt16) throws -> (TestSocket, UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SocketError.failed("socket: \(lastError())") }
        let result = TestSocket(owning: descriptor)
        result.setOption(SO_REUSEADDR, 1)
        var name = socketAddress(address, port)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic -> Int32 in
                if bind(descriptor, generic, length) != 0 { return -1 }
                if Glibc.listen(descriptor, 1024) != 0 { return -1 }
                return getsockname(descriptor, generic, &length)
            }
        }
        guard code == 0 else { throw SocketError.failed("bind \(address):\(port): \(lastError())") }
        return (result, UInt16(bigEndian: name.sin_port))
    }

    /// The next connection, or nil when the listener was shut down.
    func accept() -> TestSocket? {
        while true {
            let peer = Glibc.accept(descriptor, nil, nil)
            if peer >= 0 {
                _ = fcntl(peer, F_SETFD, FD_CLOEXEC)
                var one: Int32 = 1
                setsockopt(peer, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
                return TestSocket(owning: peer)
            }
            if errno == EINTR || errno == ECONNABORTED || errno == EMFILE { continue }
            return nil
        }
    }

    /// Sends all bytes.
    package func send(_ bytes: UnsafeRawBufferPointer, more: Bool = false) throws {
        var offset = 0
        let flags = Int32(MSG_NOSIGNAL) | (more ? Int32(MSG_MORE) : 0)
        while offset < bytes.count {
            let count = Glibc.send(
                descriptor, bytes.baseAddress?.advanced(by: offset), bytes.count - offset, flags)
            if count > 0 {
                offset += count
            } else if errno != EINTR {
                throw lastSocketError("send")
            }
        }
    }

    package func send(_ text: String, more: Bool = false) throws {
        try Array(text.utf8).withUnsafeBytes { try send($0, more: more) }
    }

    package func send(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try send($0) } }

    /// Receives what is there; 0 at the end of the stream.
    package func receive(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count >= 0 { return count }
            if errno != EINTR { throw lastSocketError("recv") }
        }
    }

    /// How long `receive` and `send` may block.
    package func setTimeout(_ limit: Duration) {
        let parts = limit.components
        var time = timeval(
            tv_sec: Int(parts.seconds), tv_usec: Int(parts.attoseconds / 1_000_000_000_000))
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, size)
    }

    /// The port is chosen when the socket connects, so that ports do not run out.
    private func bindSource(_ source: String) throws {
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_IP), IP_BIND_ADDRESS_NO_PORT, &one, 4)
        var name = socketAddress(source, 0)
        let code = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else { throw SocketError.failed("bind \(source): \(lastError())") }
    }

    private func setOption(_ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, SOL_SOCKET, option, &value, 4)
    }

    private func lastSocketError(_ call: String) -> SocketError {
        switch errno {
        case ECONNRESET, EPIPE: .reset
        case EAGAIN: .timedOut
        default: .failed("\(call): \(lastError())")
        }
    }
}

private func lastError() -> String { String(cString: strerror(errno)) }

private func socketAddress(_ address: String, _ port: UInt16) -> sockaddr_in {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    inet_pton(AF_INET, address, &name.sin_addr)
    return name
}

/// Reads lines and counted bytes from a socket, keeping what came too early.
package final class SocketReader {
    package let socket: TestSocket
    private var buffer: [UInt8]
    private var start = 0
    private var end = 0

    package init(_ socket: TestSocket, bufferSize: Int = 64 * 1024) {
        self.socket = socket
        buffer = [UInt8](repeating: 0, count: bufferSize)
    }

    /// Bytes received and not yet taken.
    package var buffered: [UInt8] { Array(buffer[start..<end]) }

    /// A line without its CRLF (or LF); nil at the end of the stream.
    package func line(limit: Int = 64 * 1024) throws -> String? {
        var line: [UInt8] = []
        while true {
            if start == end, try !fill() { return line.isEmpty ? nil : text(line) }
            if let newline = buffer[start..<end].firstIndex(of: 0x0A) {
                line.append(contentsOf: buffer[start..<newline])
                start = newline + 1
                if line.last == 0x0D { line.removeLast() }
                return text(line)
            }
            line.append(contentsOf: buffer[start..<end])
            start = end
            guard line.count <= limit else { throw SocketError.failed("line too long") }
        }
    }

    /// Hands at most `limit` bytes to `body` and gives their count; 0 at the end of the stream.
    package func some(
        _ limit: Int, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> Int {
        if start == end, try !fill() { return 0 }
        let count = min(limit, end - start)
        try buffer[start..<(start + count)].withUnsafeBytes(body)
        start += count
        return count
    }

    /// Exactly `count` bytes, or fewer if the stream ended.
    package func exactly(_ count: Int) throws -> [UInt8] {
        var result: [UInt8] = []
        while result.count < count {
            if try some(count - result.count, { result.append(contentsOf: $0) }) == 0 { break }
        }
        return result
    }

    private func fill() throws -> Bool {
        start = 0
        end = 0
        end = try buffer.withUnsafeMutableBytes { try socket.receive(into: $0) }
        return end > 0
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
