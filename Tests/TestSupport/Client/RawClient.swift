/// An HTTP/1.1 client that sends exactly the bytes it is told and checks bodies as they come.
///
/// One instance is one connection, used by one thread at a time.
package final class RawClient {
    /// What to do with a body.
    package enum Sink {
        /// Keep it.
        case keep
        /// Compare it and throw it away; a 206 from `offset` of the content on.
        case compare(TestContent, offset: Int64 = 0)
    }

    /// Decides after each piece whether to read on.
    package typealias Progress = (_ bodyBytes: Int64) throws -> Bool

    package let socket: TestSocket
    private let reader: SocketReader
    private let authority: String

    /// Connects to `127.0.0.1:PORT` as it stands in `authority`, from `source` if that is given.
    package init(
        _ authority: String, receiveBuffer: Int32? = nil, from source: String? = nil
    ) throws {
        let parts = authority.split(separator: ":")
        guard parts.count == 2, let port = UInt16(parts[1]) else {
            throw TestFailure("no address: \(authority)")
        }
        self.authority = authority
        socket = try TestSocket.connect(
            String(parts[0]), port, receiveBuffer: receiveBuffer, from: source)
        reader = SocketReader(socket, bufferSize: 256 * 1024)
    }

    /// One request on a connection of its own.
    package static func request(
        _ authority: String, _ target: String, method: String = "GET",
        fields: [(String, String)] = [], sink: Sink = .keep, timeout: Duration = .seconds(60)
    ) throws -> WireResponse {
        let client = try RawClient(authority)
        client.socket.setTimeout(timeout)
        return try client.request(target, method: method, fields: fields, sink: sink)
    }

    /// Sends a request and reads the whole answer.
    package func request(
        _ target: String, method: String = "GET", fields: [(String, String)] = [],
        sink: Sink = .keep, progress: Progress? = nil
    ) throws -> WireResponse {
        try send(target, method: method, fields: fields)
        return try response(to: method, sink: sink, progress: progress)
    }

    /// Sends a request with a body, in chunks if it says so, and reads the whole answer.
    package func request(
        _ target: String, method: String, fields: [(String, String)] = [], body: [UInt8],
        chunk: Int? = nil
    ) throws -> WireResponse {
        guard let chunk else {
            try send(
                target, method: method, fields: fields + [("Content-Length", "\(body.count)")])
            try socket.send(body)
            return try response(to: method)
        }
        try send(target, method: method, fields: fields + [("Transfer-Encoding", "chunked")])
        var rest = body[...]
        while !rest.isEmpty {
            let piece = rest.prefix(chunk)
            rest = rest.dropFirst(piece.count)
            try socket.send(String(piece.count, radix: 16) + "\r\n")
            try socket.send(Array(piece))
            try socket.send("\r\n")
        }
        try socket.send("0\r\n\r\n")
        return try response(to: method)
    }

    /// Sends a request head with `Host` and these fields.
    package func send(
        _ target: String, method: String = "GET", fields: [(String, String)] = []
    ) throws {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: \(authority)\r\n"
        for (name, value) in fields { text += "\(name): \(value)\r\n" }
        try socket.send(text + "\r\n")
    }

    /// Sends bytes as they are.
    package func send(raw text: String) throws { try socket.send(text) }

    /// Reads one answer.
    package func response(
        to method: String = "GET", sink: Sink = .keep, progress: Progress? = nil
    ) throws -> WireResponse {
        var response = try head()
        var sink = sink
        if case .compare(let content, _) = sink {
            response.matchesSoFar = true
            // A range that was not heard comes as the whole.
            if response.status == 200 { sink = .compare(content) }
        }
        let hasBody = method != "HEAD" && ![204, 304].contains(response.status)
        guard hasBody else {
            response.matchesSoFar = nil
            return response
        }
        do {
            response.ending = try readBody(&response, sink, progress)
        } catch SocketError.reset {
            response.ending = .reset
        } catch SocketError.timedOut {
            response.ending = .timedOut
        }
        if case .compare(let content, let offset) = sink {
            response.hasExpectedSize = response.bodyBytes == content.size - offset
        }
        return response
    }

    /// Reads a status line and headers.
    package func head() throws -> WireResponse {
        guard let line = try reader.line() else { throw TestFailure("closed without an answer") }
        let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), let status = Int(parts[1]) else {
            throw TestFailure("not a status line: \(line)")
        }
        var fields: [(String, String)] = []
        while let line = try reader.line(), !line.isEmpty {
            guard let colon = line.firstIndex(of: ":") else {
                throw TestFailure("not a header: \(line)")
            }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            fields.append((String(line[..<colon]), String(value)))
        }
        let reason = parts.count > 2 ? String(parts[2]) : ""
        return WireResponse(
            status: status, reason: reason,
            fields: fields.map { (name: $0.0, value: $0.1) })
    }

    /// Whether the server has ended the connection, with nothing more to read.
    package func isAtEnd() -> Bool {
        do { return try reader.some(1) { _ in } == 0 } catch {
            return error as? SocketError == .reset
        }
    }

    /// Everything until the server closes; for answers that are no HTTP.
    package func rest(limit: Int = 1 << 20) throws -> [UInt8] { try reader.exactly(limit) }

    private func readBody(
        _ response: inout WireResponse, _ sink: Sink, _ progress: Progress?
    ) throws -> WireResponse.Ending {
        if response.isChunked { return try readChunks(&response, sink, progress) }
        if let length = response.contentLength {
            return try readCounted(length, &response, sink, progress)
        }
        let ending = try readCounted(.max, &response, sink, progress)
        return ending == .short ? .complete : ending
    }

    private func readCounted(
        _ length: Int64, _ response: inout WireResponse, _ sink: Sink, _ progress: Progress?
    ) throws -> WireResponse.Ending {
        var left = length
        while left > 0 {
            let limit = Int(min(left, Int64(Int32.max)))
            let count = try reader.some(limit) { take($0, &response, sink) }
            if count == 0 { return .short }
            left -= Int64(count)
            if let progress, try !progress(response.bodyBytes) { return .abandoned }
        }
        return .complete
    }

    private func readChunks(
        _ response: inout WireResponse, _ sink: Sink, _ progress: Progress?
    ) throws -> WireResponse.Ending {
        while true {
            guard let line = try reader.line() else { return .short }
            let digits = line.prefix { $0 != ";" }
            guard let size = Int64(digits, radix: 16), size >= 0 else { return .malformed }
            if size == 0 {
                while let trailer = try reader.line() { if trailer.isEmpty { return .complete } }
                return .short
            }
            let ending = try readCounted(size, &response, sink, progress)
            guard ending == .complete else { return ending }
            guard let end = try reader.line() else { return .short }
            guard end.isEmpty else { return .malformed }
        }
    }

    private func take(
        _ bytes: UnsafeRawBufferPointer, _ response: inout WireResponse, _ sink: Sink
    ) {
        switch sink {
        case .keep: response.body.append(contentsOf: bytes)
        case .compare(let content, let offset):
            if response.matchesSoFar == true {
                response.matchesSoFar = content.matches(bytes, at: offset + response.bodyBytes)
            }
        }
        response.bodyBytes += Int64(bytes.count)
    }
}
