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
    private let id: RequestID
    private let version: HTTPVersion
    let isHead: Bool
    /// Whether the connection goes on after this answer.
    private(set) var keepsAlive: Bool
    /// Whether the client takes the connection's end for the body's end.
    private(set) var endsByClosing = false
    /// Bytes of heads and framing handed to the socket.
    var overhead: Int64 = 0
    private var status = 0
    /// Bytes that the connection had sent before this answer.
    private var writtenBefore: Int64 = 0
    private var cut: Cut?

    init(
        _ socket: ClientSocket, in state: ServerLoop, id: RequestID, version: HTTPVersion,
        isHead: Bool, keepsAlive: Bool
    ) {
        self.id = id
        self.socket = socket
        self.state = state
        self.version = version
        self.isHead = isHead
        self.keepsAlive = keepsAlive
    }

    /// Sends `response` and says how that ended; `received` is when its request was complete.
    mutating func write(_ response: Response, since received: Instant) async -> ResponseOutcome {
        await finish(start(response))
        return outcome(since: received)
    }

    /// Starts an answer by what the kernel takes at once, and says what is left of it.
    ///
    /// Most answers are sent whole by this, without any cost of asynchronous calls.
    mutating func start(_ response: Response) -> Rest {
        layOut(response.body)
        let contentType = layout?.contentType
        return start(response.status, response.body, or: response.instead) {
            Self.appendFields(of: response, contentType, to: &$0)
        }
    }

    /// The same with the status and the fields of an answer that was given before.
    mutating func start(
        again entry: RepeatedRequests.Entry, _ part: HeadPart?, _ body: Body
    ) -> Rest {
        start(entry.status, body, or: nil) { entry.appendAnswerHead(part, to: &$0) }
    }

    private mutating func start(
        _ status: Int, _ body: Body, or instead: Unsent.Instead?,
        appendFields: (inout [UInt8]) -> Void
    ) -> Rest {
        self.status = status
        writtenBefore = socket.written
        socket.startAnswer()
        do throws(Cut) {
            if let rest = try sendNow(status, body, appendFields: appendFields) { return rest }
        } catch {
            cut = error
            return .nothing
        }
        var fields: [UInt8] = []
        appendFields(&fields)
        return .all(Unsent(fields: fields, body: body, instead: instead))
    }

    /// Sends what is left, waiting for the client and for what it is made of.
    mutating func finish(_ rest: Rest) async {
        do throws(Cut) {
            switch rest {
            case .nothing: break
            case .all(let unsent): try await send(unsent)
            case .bytes(let bytes, let sent): try await socket.send(bytes, from: sent)
            case .file(let file, let range, let head, let sent):
                try await send(file, range, behind: head, from: sent)
            }
        } catch {
            cut = error
        }
    }

    /// How the answer ended; `received` is when its request was complete.
    func outcome(since received: Instant) -> ResponseOutcome {
        ResponseOutcome(
            status: status, bytesSent: max(0, socket.written - writtenBefore - overhead),
            cut: cut, timeToFirstByte: socket.firstByte.map { $0 - received },
            duration: state.loop.now - received)
    }

    private mutating func send(_ unsent: Unsent) async throws(Cut) {
        if let file = unsureFile(unsent.body), try await !isSound(file) {
            return try await sendInstead(of: unsent)
        }
        let framing = self.framing(status, unsent.body)
        if framing == .untilClose {
            keepsAlive = false
            endsByClosing = true
        }
        let head = startHead(framing) { $0.append(contentsOf: unsent.fields) }
        guard !isHead && framing != .none else {
            if case .stream(let stream, _) = unsent.body { stream.cancel() }
            return try await sendJoined(head)
        }
        switch unsent.body {
        case .empty, .headOnly:
            try await sendJoined(head)
            // A length was promised of which there is nothing to send.
            if case .length(let length) = framing, length > 0 { throw .source }
        case .bytes(let bytes): try await send(bytes, behind: head)
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

    private mutating func layOut(_ body: Body) {
        guard case .multipart(_, let ranges, let total, let contentType) = body else { return }
        layout = MultipartByteRanges(
            ranges, total: total, partType: contentType, seed: state.nextRequestID().value)
    }

    /// Sends a buffer whose bytes are all that is sent for now, and gives it back.
    func sendJoined(_ buffer: consuming [UInt8], more: Bool = false) async throws(Cut) {
        let sent = try socket.sendNow(buffer, more: more)
        if sent < buffer.count { try await socket.send(buffer, from: sent, more: more) }
        state.giveBack(buffer)
    }

    // MARK: - Before the head

    /// The file of which a head would already promise what is not sure yet.
    ///
    /// HTTP/1.0 knows no chunks, and an empty body has no end that could be withheld (INT-1).
    private func unsureFile(_ body: Body) -> GrowingFile? {
        guard case .file(let file, let range) = body, !isHead else { return nil }
        let progress = file.progress
        switch progress.phase {
        case .complete: return nil
        case .failed: return file
        case .growing:
            let length = range.map { Int64($0.count) } ?? progress.total
            return length == 0 || length == nil && version == .http10 ? file : nil
        }
    }

    private func isSound(_ file: GrowingFile) async throws(Cut) -> Bool {
        // Who waits reads too: a fetch without readers is given up (UP-3).
        file.addReader()
        defer { file.removeReader() }
        return try await GrowthWait(socket, state, file).untilFinal() == .complete
    }

    private mutating func sendInstead(of unsent: Unsent) async throws(Cut) {
        let instead = unsent.instead?() ?? Response(status: 502)
        var body: [UInt8] = []
        if case .bytes(let bytes) = instead.body { body = bytes }
        status = instead.status
        var head = startHead(.length(Int64(body.count))) {
            Self.appendFields(of: instead, to: &$0)
        }
        head.append(contentsOf: body)
        try await sendJoined(head)
    }

    func framing(_ status: Int, _ body: Body) -> Framing {
        if status < 200 || status == 204 || status == 304 { return .none }
        switch body {
        case .empty: return .length(0)
        case .bytes(let bytes): return .length(Int64(bytes.count))
        case .headOnly(let length): return length.map { .length($0) } ?? .none
        case .file(let file, let range):
            return length(range.map { Int64($0.count) } ?? file.progress.total)
        case .multipart: return length(layout?.length)
        case .stream(_, let length): return self.length(length)
        }
    }

    private func length(_ length: Int64?) -> Framing {
        if let length { return .length(length) }
        return version == .http11 ? .chunked : .untilClose
    }

    // MARK: - The head

    /// Fields that say what the connection does, and that only it can say.
    private static let ownFields = [
        "Date", "Connection", "Content-Length", "Transfer-Encoding", "X-Request-Id",
    ]

    /// A buffer with the whole head, which counts as overhead.
    ///
    /// Never inlined, for what waits would keep room for its variables.
    @inline(never)
    mutating func startHead(
        _ framing: Framing, _ appendFields: (inout [UInt8]) -> Void
    ) -> [UInt8] {
        var head = state.takeHeadBuffer()
        appendFields(&head)
        appendOwnFields(framing, to: &head)
        overhead += Int64(head.count)
        return head
    }

    private static func appendFields(
        of response: Response, _ contentType: String? = nil, to output: inout [UInt8]
    ) {
        var head = ResponseHead(
            status: response.status, reason: response.reason, fields: response.fields)
        if head.fields.contains(anyOf: ownFields) {
            for name in ownFields { head.fields.remove(name) }
        }
        if let contentType { head.fields.set("Content-Type", contentType) }
        head.serialize(into: &output)
        // The empty line comes back behind the connection's own fields.
        output.removeLast(2)
    }

    /// Adds what only the connection can say, and the empty line.
    private func appendOwnFields(_ framing: Framing, to output: inout [UInt8]) {
        id.appendField(to: &output)
        state.appendDate(to: &output)
        switch framing {
        case .none, .untilClose: break
        case .length(let length):
            Self.append("Content-Length: ", to: &output)
            Self.append(decimal: length, to: &output)
            Self.append("\r\n", to: &output)
        case .chunked:
            Self.append("Transfer-Encoding: chunked\r\n", to: &output)
        }
        if !keepsAlive {
            Self.append("Connection: close\r\n", to: &output)
        } else if version == .http10 {
            Self.append("Connection: keep-alive\r\n", to: &output)
        }
        Self.append("\r\n", to: &output)
    }

    private static func append(_ text: StaticString, to output: inout [UInt8]) {
        output.append(
            contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Without a `String`, which every answer would pay for.
    private static func append(decimal number: Int64, to output: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var start = digits.count
            var rest = number.magnitude
            repeat {
                start -= 1
                digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            output.append(contentsOf: digits[start...])
        }
    }
}
