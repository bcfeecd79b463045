import HTTP
import Linux
import Reactor

/// How each kind of body follows its head.
extension ResponseWriter {
    /// Bytes too many to be copied behind the head.
    func send(_ bytes: [UInt8], behind head: consuming [UInt8]) async throws(Cut) {
        try await sendJoined(head, more: true)
        try await socket.send(bytes)
    }

    mutating func send(
        _ file: GrowingFile, _ range: Range<Int64>?, _ framing: Framing,
        behind head: consuming [UInt8]
    ) async throws(Cut) {
        begin(file)
        defer { end(file) }
        guard case .length(let length) = framing else {
            try await sendJoined(head)
            return try await sendChunked(file, framing)
        }
        let range = range ?? 0..<length
        // With nothing to follow at once the head must not wait for it.
        let isFollowed = file.sendable(upTo: range.upperBound) > range.lowerBound
        try await sendJoined(head, more: isFollowed)
        var sender = FileSender(file, to: socket, in: state)
        do throws(Cut) {
            try await sender.send(range)
        } catch {
            guard error == .source, range.upperBound == file.progress.total ?? length,
                let rest = file.continuation, sender.position <= rest.offset
            else { throw error }
            try await sender.sendAvailable(sender.position..<rest.offset)
            try await send(rest, .length(range.upperBound - rest.offset))
        }
    }

    mutating func send(
        _ file: GrowingFile, _ layout: MultipartByteRanges, behind head: consuming [UInt8]
    ) async throws(Cut) {
        begin(file)
        defer { end(file) }
        var sender = FileSender(file, to: socket, in: state)
        try await sendJoined(head, more: true)
        for (index, range) in layout.ranges.enumerated() {
            try await sendFraming(layout.header(of: index), more: true)
            try await sender.send(range)
        }
        try await sendFraming(layout.trailer, more: false)
    }

    /// Sends a stream as it comes; the next chunk is asked for when the last one is sent (RES-8).
    mutating func send(
        _ stream: any BodyStream, _ framing: Framing, behind head: consuming [UInt8]
    ) async throws(Cut) {
        state.activeBodies += 1
        defer { state.activeBodies -= 1 }
        // Cancelled also if the head cannot be sent.
        let source = StreamSource(stream)
        defer { source.cancel() }
        try await sendJoined(head)
        try await send(source, framing)
    }

    /// Goes on with a body that its file does not have the rest of (DUR-6).
    private mutating func send(
        _ rest: GrowingFile.Continuation, _ framing: Framing, after separator: String = ""
    ) async throws(Cut) {
        let stream: any ChunkStream
        do {
            stream = try await rest.open()
        } catch {
            throw socket.isGone ? socket.goneReason : .source
        }
        let source = StreamSource(stream)
        defer { source.cancel() }
        try await send(source, framing, after: separator)
    }

    private mutating func send(
        _ source: StreamSource, _ framing: Framing, after separator: String = ""
    ) async throws(Cut) {
        var left: Int64 = if case .length(let length) = framing { length } else { .max }
        var separator = separator
        while let chunk = try await source.next(for: socket) {
            guard chunk.count > 0 else { continue }
            // More than promised: the end that the client waits for must not go out.
            guard chunk.count <= left else { throw .source }
            left -= Int64(chunk.count)
            if framing == .chunked {
                try await sendChunkHeader(separator, Int64(chunk.count))
                separator = "\r\n"
            }
            try await socket.send(chunk, count: chunk.count, more: false)
        }
        if framing == .chunked {
            try await sendFraming(Array((separator + "0\r\n\r\n").utf8), more: false)
        } else if framing != .untilClose && left > 0 {
            throw .source
        }
    }

    /// Sends a file whose size only its end will tell; the last chunk only once it is complete.
    private mutating func sendChunked(
        _ file: GrowingFile, _ framing: Framing
    ) async throws(Cut) {
        var sender = FileSender(file, to: socket, in: state)
        var position: Int64 = 0
        var separator = ""
        while true {
            let limit: Int64
            do throws(Cut) {
                limit = try await sender.sendable(beyond: position, upTo: nil)
            } catch {
                guard error == .source, let rest = file.continuation, position <= rest.offset
                else { throw error }
                if position < rest.offset {
                    try await sendChunkHeader(separator, rest.offset - position)
                    try await sender.sendAvailable(position..<rest.offset)
                    separator = "\r\n"
                }
                return try await send(rest, framing, after: separator)
            }
            if limit == position { break }
            let end = min(limit, position + Int64(state.limits.turnBytesMax))
            try await sendChunkHeader(separator, end - position)
            try await sender.sendAvailable(position..<end)
            position = end
            separator = "\r\n"
        }
        try await sendFraming(Array((separator + "0\r\n\r\n").utf8), more: false)
    }

    private mutating func sendChunkHeader(_ separator: String, _ size: Int64) async throws(Cut) {
        let text = separator + String(size, radix: 16) + "\r\n"
        try await sendFraming(Array(text.utf8), more: true)
    }

    private mutating func sendFraming(_ bytes: [UInt8], more: Bool) async throws(Cut) {
        overhead += Int64(bytes.count)
        try await socket.send(bytes, more: more)
    }

    func begin(_ file: GrowingFile) {
        state.activeBodies += 1
        socket.limitUnsent(to: state.unsentBytesMax)
        file.addReader()
    }

    func end(_ file: GrowingFile) {
        state.activeBodies -= 1
        file.removeReader()
    }
}

/// A stream that is cancelled at most once, and not after its end.
private final class StreamSource {
    private let stream: any ChunkStream
    private var isOver = false

    init(_ stream: any ChunkStream) {
        self.stream = stream
    }

    func cancel() {
        guard !isOver else { return }
        isOver = true
        stream.cancel()
    }

    /// The next chunk; a client that leaves meanwhile ends the wait.
    func next(for socket: ClientSocket) async throws(ResponseOutcome.Cut) -> Chunk? {
        if socket.isGone { throw socket.goneReason }
        socket.readiness.onHangUp = { [self] in cancel() }
        defer { socket.readiness.onHangUp = nil }
        do {
            let chunk = try await stream.next()
            if chunk == nil { isOver = true }
            if socket.isGone { throw socket.goneReason }
            return chunk
        } catch {
            isOver = true
            throw socket.isGone ? socket.goneReason : .source
        }
    }
}
