import Glibc
import Linux
import TestSupport

/// A client over a real blocking socket that sees exactly what the server put on the wire.
///
/// Not Sendable; every test makes its own. Each wait ends after 20 s, which fails the test.
final class TestClient {
    /// How the server's direction ended.
    ///
    /// With TLS `fin` is a stream that ends without close_notify, `closed` one that ends with it.
    enum End: Equatable {
        case fin, reset, timeout, open, closed
        case broken(String)
    }

    struct Answer {
        var status = 0
        var statusLine = ""
        var fields: [(name: String, value: String)] = []
        var body: [UInt8] = []
        /// Whether the body ended where its framing said it would.
        var isWhole = false

        func field(_ name: String) -> String? {
            fields.first { $0.name.lowercased() == name.lowercased() }?.value
        }

        var text: String { String(decoding: body, as: UTF8.self) }
    }

    let raw: Int32
    private(set) var tls: ClientTLS?
    private var buffer: [UInt8] = []
    private(set) var end = End.open

    init(port: UInt16, receiveBuffer: Int32? = nil) throws {
        raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        if let receiveBuffer { try System.setOption(raw, SOL_SOCKET, SO_RCVBUF, receiveBuffer) }
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(
            raw, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        System.setNoDelay(raw)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result < 0 { throw Errno.last("connect") }
    }

    /// Connects and shakes hands.
    convenience init(port: UInt16, receiveBuffer: Int32? = nil, tls: ClientTLS.Options) throws {
        try self.init(port: port, receiveBuffer: receiveBuffer)
        self.tls = try ClientTLS(over: raw, tls)
    }

    deinit { close(raw) }

    /// Sends everything, or as much as the server takes before it ends the connection.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        if let tls { return tls.send(bytes) }
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    func get(_ path: String, fields: String = "") {
        send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\(fields)\r\n")
    }

    /// Ends the client's direction; the server may still answer.
    func finish() { shutdown(raw, Int32(SHUT_WR)) }

    /// Receives more; false at the end.
    private func receive() -> Bool {
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        if let tls { return receive(&piece, tls) }
        let count = recv(raw, &piece, piece.count, 0)
        if count > 0 {
            buffer.append(contentsOf: piece[..<count])
            return true
        }
        if count == 0 {
            end = .fin
        } else {
            end = errno == ECONNRESET ? .reset : .timeout
        }
        return false
    }

    private func receive(_ piece: inout [UInt8], _ tls: ClientTLS) -> Bool {
        switch tls.receive(&piece) {
        case .bytes(let count):
            buffer.append(contentsOf: piece[..<count])
            return true
        case .closeNotify: end = .closed
        case .truncated: end = .fin
        case .failed(let reason): end = .broken(reason)
        }
        return false
    }

    /// Whether at least one byte arrives.
    func waitForByte() -> Bool { !buffer.isEmpty || receive() }

    /// Everything up to the end of the connection.
    func readToEnd() -> [UInt8] {
        while receive() {}
        defer { buffer = [] }
        return buffer
    }

    /// The next answer; nil if the connection ended before its head was complete.
    func readAnswer(toHead isHead: Bool = false) -> Answer? {
        guard let head = take(through: Array("\r\n\r\n".utf8)) else { return nil }
        var answer = Answer()
        let lines = String(decoding: head, as: UTF8.self).components(by: "\r\n")
        answer.statusLine = lines[0]
        answer.status = Int(lines[0].split(separator: " ")[1]) ?? 0
        for line in lines.dropFirst() where !line.isEmpty {
            let parts = line.split(separator: ":", maxSplits: 1)
            let value = parts[1].drop { $0 == " " }
            answer.fields.append((String(parts[0]), String(value)))
        }
        if isHead || [204, 304].contains(answer.status) {
            answer.isWhole = true
        } else if answer.field("Transfer-Encoding") == "chunked" {
            readChunks(into: &answer)
        } else if let length = answer.field("Content-Length").flatMap({ Int($0) }) {
            while buffer.count < length, receive() {}
            answer.body = Array(buffer.prefix(length))
            answer.isWhole = answer.body.count == length
            buffer.removeFirst(answer.body.count)
        } else {
            answer.body = readToEnd()
            answer.isWhole = end == (tls == nil ? .fin : .closed)
        }
        return answer
    }

    private func readChunks(into answer: inout Answer) {
        while let line = take(through: [13, 10]) {
            let size = Int(String(decoding: line.dropLast(2), as: UTF8.self), radix: 16) ?? 0
            while buffer.count < size + 2, receive() {}
            answer.body += buffer.prefix(min(size, buffer.count))
            guard buffer.count >= size + 2 else { return }
            buffer.removeFirst(size + 2)
            if size == 0 {
                answer.isWhole = true
                return
            }
        }
    }

    private func take(through mark: [UInt8]) -> [UInt8]? {
        var searched = 0
        while true {
            if let index = find(mark, from: searched) {
                defer { buffer.removeFirst(index + mark.count) }
                return Array(buffer[..<(index + mark.count)])
            }
            searched = max(0, buffer.count - mark.count)
            if !receive() { return nil }
        }
    }

    private func find(_ mark: [UInt8], from start: Int) -> Int? {
        guard buffer.count >= mark.count else { return nil }
        return (start...(buffer.count - mark.count)).first {
            buffer[$0..<($0 + mark.count)].elementsEqual(mark)
        }
    }
}

extension String {
    fileprivate func components(by separator: String) -> [String] {
        split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }
}
