import HTTP
import Reactor

/// Sends one answer: head and body in as few packets as possible, framed as the client can read it.
struct ResponseWriter {
    typealias Cut = ResponseOutcome.Cut

    /// How the client learns where the body ends (RFC 9112 §6.3).
    enum Framing: Equatable {
        /// By status or method: there is no body.
        case none
        case length(Int64)
        case chunked
        /// By the connection's end, for HTTP/1.0 and a length that nobody knows.
        case untilClose
    }

    /// Up to here a body is copied behind its head: one packet, one system call.
    static let joinedBytesMax = 16 << 10

    let socket: ClientSocket
    let state: ServerLoop
    private let version: HTTPVersion
    private let isHead: Bool
    /// Whether the connection goes on after this answer.
    private(set) var keepsAlive: Bool
    /// Whether the client takes the connection's end for the body's end.
    private(set) var endsByClosing = false
    /// Bytes of heads and framing handed to the socket.
    var overhead: Int64 = 0
    private var status = 0

    init(
        _ socket: ClientSocket, in state: ServerLoop, version: HTTPVersion, isHead: Bool,
        keepsAlive: Bool
    ) {
        self.socket = socket
        self.state = state
        self.version = version
        self.isHead = isHead
        self.keepsAlive = keepsAlive
    }

    /// Sends `response` and says how that ended; `received` is when its request was complete.
    mutating func write(_ response: Response, since received: Instant) async -> ResponseOutcome {
        let before = socket.written
        socket.startAnswer()
        var cut: Cut?
        do throws(Cut) {
            try await send(response)
        } catch {
            cut = error
        }
        return ResponseOutcome(
            status: status, bytesSent: max(0, socket.written - before - overhead), cut: cut,
            timeToFirstByte: socket.firstByte.map { $0 - received },
            duration: state.loop.now - received)
    }

    private mutating func send(_ response: Response) async throws(Cut) {
        status = response.status
        guard try await isSourceReady(response) else { return try await sendBadGateway() }
        let framing = self.framing(of: response)
        if framing == .untilClose {
            keepsAlive = false
            endsByClosing = true
        }
        var head = state.takeHeadBuffer()
        appendHead(of: response, framing, to: &head)
        overhead += Int64(head.count)
        guard !isHead && framing != .none else {
            if case .stream(let stream, _) = response.body { stream.cancel() }
            return try await sendJoined(head)
        }
        switch response.body {
        case .empty, .headOnly:
            try await sendJoined(head)
            // A length was promised of which there is nothing to send.
            if case .length(let length) = framing, length > 0 { throw .source }
        case .bytes(let bytes):
            try await send(bytes, behind: head)
        case .file(let file, let range):
            try await send(file, range, framing, behind: head)
        case .multipart(let file, _, _, _):
            guard let layout else { throw .source }
            try await send(file, layout, behind: head)
        case .stream(let stream, _):
            try await send(stream, framing, behind: head)
        }
    }

    /// The parts of a multipart answer, made once for head and body.
    private var layout: MultipartByteRanges?

    /// Sends a buffer whose bytes are all that is sent for now, and gives it back.
    func sendJoined(_ buffer: consuming [UInt8], more: Bool = false) async throws(Cut) {
        try await socket.send(buffer, more: more)
        state.giveBack(buffer)
    }

    // MARK: - Before the head

    /// Waits where a head would already promise what is not sure yet; false if the file is bad.
    ///
    /// HTTP/1.0 knows no chunks, and an empty body has no end that could be withheld (INT-1).
    private func isSourceReady(_ response: Response) async throws(Cut) -> Bool {
        guard case .file(let file, let range) = response.body, !isHead else { return true }
        let progress = file.progress
        guard progress.phase == .growing else { return progress.phase == .complete }
        let length = range.map { Int64($0.count) } ?? progress.total
        guard length == 0 || length == nil && version == .http10 else { return true }
        return try await GrowthWait(socket, state, file).untilFinal() == .complete
    }

    private mutating func sendBadGateway() async throws(Cut) {
        status = 502
        var head = state.takeHeadBuffer()
        appendHead(of: Response(status: 502), .length(0), to: &head)
        overhead += Int64(head.count)
        try await sendJoined(head)
    }

    private mutating func framing(of response: Response) -> Framing {
        if response.status < 200 || response.status == 204 || response.status == 304 {
            return .none
        }
        switch response.body {
        case .empty: return .length(0)
        case .bytes(let bytes): return .length(Int64(bytes.count))
        case .headOnly(let length): return length.map { .length($0) } ?? .none
        case .file(let file, let range):
            return length(range.map { Int64($0.count) } ?? file.progress.total)
        case .multipart(_, let ranges, let total, let contentType):
            let layout = MultipartByteRanges(
                ranges, total: total, partType: contentType, seed: state.nextRequestID().value)
            self.layout = layout
            return length(layout.length)
        case .stream(_, let length): return self.length(length)
        }
    }

    private func length(_ length: Int64?) -> Framing {
        if let length { return .length(length) }
        return version == .http11 ? .chunked : .untilClose
    }

    // MARK: - The head

    /// Fields that say what the connection does, and that only it can say.
    private static let ownFields = ["Date", "Connection", "Content-Length", "Transfer-Encoding"]

    private func appendHead(
        of response: Response, _ framing: Framing, to output: inout [UInt8]
    ) {
        var head = ResponseHead(
            status: response.status, reason: response.reason, fields: response.fields)
        for name in Self.ownFields where head.fields.contains(name) { head.fields.remove(name) }
        if let layout { head.fields.set("Content-Type", layout.contentType) }
        head.serialize(into: &output)
        // The empty line comes back below.
        output.removeLast(2)
        state.appendDate(to: &output)
        switch framing {
        case .none, .untilClose: break
        case .length(let length):
            output.append(contentsOf: "Content-Length: ".utf8)
            Self.append(decimal: length, to: &output)
            output.append(contentsOf: "\r\n".utf8)
        case .chunked:
            output.append(contentsOf: "Transfer-Encoding: chunked\r\n".utf8)
        }
        if !keepsAlive {
            output.append(contentsOf: "Connection: close\r\n".utf8)
        } else if version == .http10 {
            output.append(contentsOf: "Connection: keep-alive\r\n".utf8)
        }
        output.append(contentsOf: "\r\n".utf8)
    }

    private static func append(decimal number: Int64, to output: inout [UInt8]) {
        let start = output.count
        var rest = number.magnitude
        repeat {
            output.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        output[start...].reverse()
    }
}
