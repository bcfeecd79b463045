import Glibc
import Synchronization

/// One request as the server read it.
struct SeenRequest: Sendable {
    var method: String
    /// Path and query.
    var target: String
    /// Values by lower-case name.
    var fields: [String: String]
    /// Which connection it came on, counted from 1.
    var connection: Int
    /// Its body; empty where the target says `early`, which is answered before the body is read.
    var body: [UInt8] = []

    subscript(name: String) -> String? { fields[name] }
}

/// What a scripted server does after it has read a request.
enum Step: Sendable {
    case send(String)
    case sendBytes([UInt8])
    /// Waits until the client is gone or the server stops.
    case silence
    /// Ends the connection in order.
    case close
    /// Ends the connection by RST.
    case reset
    /// Waits until the gate is opened.
    case wait(Gate)
}

/// Something a test lets happen: a pipe whose closing is the signal.
final class Gate: Sendable {
    private let reader: Int32
    private let writer: Mutex<Int32>

    init() {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0, "pipe")
        reader = ends[0]
        writer = Mutex(ends[1])
    }

    deinit {
        open()
        close(reader)
    }

    func open() {
        writer.withLock {
            if $0 >= 0 { close($0) }
            $0 = -1
        }
    }

    /// Blocks the calling thread, at most five seconds.
    func pass() {
        var entry = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
        poll(&entry, 1, 5000)
    }
}

/// A server of a few lines on loopback with a thread for each connection.
///
/// Blocking sockets on purpose: it shares nothing with what it tests. `@unchecked Sendable`: all
/// that changes is in the mutex.
final class ScriptedServer: @unchecked Sendable {
    typealias Handler = @Sendable (SeenRequest) -> [Step]

    private struct State {
        var seen: [SeenRequest] = []
        var open: Set<Int32> = []
        var threads: [pthread_t] = []
        var connections = 0
        var isStopped = false
    }

    let host: String
    private(set) var port: UInt16 = 0
    private let listener: Int32
    private let handler: Handler
    private let greeting: [Step]
    private let state = Mutex(State())

    /// Listens on a free port; `greeting` is done at once on each connection, before any request.
    init(host: String = "127.0.0.1", greeting: [Step] = [], _ handler: @escaping Handler) {
        self.host = host
        self.handler = handler
        self.greeting = greeting
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        inet_pton(AF_INET, host, &address.sin_addr)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                precondition(bind(listener, $0, length) == 0, "bind")
                precondition(listen(listener, 128) == 0, "listen")
                getsockname(listener, $0, &length)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        spawn { [self] in acceptAll() }
    }

    var url: String { "http://\(host):\(port)" }

    var requests: [SeenRequest] { state.withLock { $0.seen } }

    var connections: Int { state.withLock { $0.connections } }

    var openConnections: Int { state.withLock { $0.open.count } }

    /// Ends everything and waits for all threads.
    func stop() {
        state.withLock { state in
            state.isStopped = true
            shutdown(listener, Int32(SHUT_RDWR))
            for fd in state.open { shutdown(fd, Int32(SHUT_RDWR)) }
        }
        while let thread = state.withLock({ $0.threads.popLast() }) { pthread_join(thread, nil) }
        close(listener)
    }

    private func acceptAll() {
        while true {
            let fd = accept(listener, nil, nil)
            guard fd >= 0 else { return }
            let number = state.withLock { state -> Int in
                if state.isStopped { shutdown(fd, Int32(SHUT_RDWR)) }
                state.open.insert(fd)
                state.connections += 1
                return state.connections
            }
            spawn { [self] in
                serve(fd, number)
                state.withLock { _ = $0.open.remove(fd) }
                close(fd)
            }
        }
    }

    private func serve(_ fd: Int32, _ number: Int) {
        guard perform(greeting, on: fd) else { return }
        var input: [UInt8] = []
        while let request = nextRequest(fd, &input, number) {
            state.withLock { $0.seen.append(request) }
            guard perform(handler(request), on: fd) else { return }
        }
    }

    /// Whether the connection may be used for another request.
    private func perform(_ steps: [Step], on fd: Int32) -> Bool {
        for step in steps {
            switch step {
            case .send(let text):
                guard sendAll(fd, Array(text.utf8)) else { return false }
            case .sendBytes(let bytes):
                guard sendAll(fd, bytes) else { return false }
            case .silence:
                var byte: UInt8 = 0
                while recv(fd, &byte, 1, 0) > 0 {}
                return false
            case .wait(let gate):
                gate.pass()
            case .close:
                return false
            case .reset:
                var linger = linger(l_onoff: 1, l_linger: 0)
                setsockopt(
                    fd, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
                return false
            }
        }
        return true
    }

    private func sendAll(_ fd: Int32, _ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    private func nextRequest(_ fd: Int32, _ input: inout [UInt8], _ number: Int) -> SeenRequest? {
        let end = Array("\r\n\r\n".utf8)
        while true {
            for start in input.indices.dropLast(3) where Array(input[start..<start + 4]) == end {
                let head = String(decoding: input[..<start], as: UTF8.self)
                input.removeFirst(start + 4)
                guard var request = Self.parse(head, number) else { return nil }
                let length = request["content-length"].flatMap { Int($0) } ?? 0
                guard !request.target.contains("early") else { return request }
                while input.count < length {
                    guard receive(fd, &input) else { return nil }
                }
                request.body = Array(input[..<length])
                input.removeFirst(length)
                return request
            }
            guard receive(fd, &input) else { return nil }
        }
    }

    private func receive(_ fd: Int32, _ input: inout [UInt8]) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(fd, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        input += buffer[..<count]
        return true
    }

    private static func parse(_ head: String, _ number: Int) -> SeenRequest? {
        var lines = head.split(separator: "\r\n")
        let first = lines.removeFirst().split(separator: " ")
        guard first.count == 3 else { return nil }
        var fields: [String: String] = [:]
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            fields[line[..<colon].lowercased()] = String(value)
        }
        return SeenRequest(
            method: String(first[0]), target: String(first[1]), fields: fields, connection: number)
    }

    private func spawn(_ body: @escaping @Sendable () -> Void) {
        final class Box {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var thread = pthread_t()
        let box = Unmanaged.passRetained(Box(body)).toOpaque()
        let result = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, box)
        precondition(result == 0, "pthread_create")
        state.withLock { $0.threads.append(thread) }
    }
}

extension Step {
    /// A whole response with its length.
    static func response(
        _ status: Int, _ body: String = "", _ fields: [String: String] = [:]
    ) -> [Step] {
        var lines = ["HTTP/1.1 \(status) Whatever", "Content-Length: \(body.utf8.count)"]
        lines += fields.map { "\($0.key): \($0.value)" }
        return [.send(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)]
    }

    /// The head alone, as HEAD is answered or when the body is sent in other steps.
    static func head(_ status: Int, _ fields: [String: String]) -> Step {
        let lines = ["HTTP/1.1 \(status) Whatever"] + fields.map { "\($0.key): \($0.value)" }
        return .send(lines.joined(separator: "\r\n") + "\r\n\r\n")
    }

    static func unauthorized(_ challenge: String) -> [Step] {
        response(401, "{}", ["WWW-Authenticate": challenge])
    }

    static func redirect(_ location: String, _ status: Int = 307) -> [Step] {
        response(status, "", ["Location": location])
    }
}
