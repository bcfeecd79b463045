import HTTP
import Reactor

/// A request's body as it comes, its framing taken off, for a handler that wants it.
///
/// `@unchecked Sendable`: made and read on its connection's loop only, by one reader at a time.
final class RequestBody: ChunkStream, @unchecked Sendable {
    /// Why there is no more of it.
    enum Failure: Error {
        case clientGone
        /// Slower than any honest upload (RES-5).
        case tooSlow
        case malformed(RequestError)
        /// The answer was sent before it was read.
        case over
    }

    private enum Framing {
        case length(left: Int64)
        case chunks(ChunkedDecoder)
    }

    /// What is received at a time: hashing and writing cost little per byte then.
    private static let inputBytes = Chunk.standardCapacity
    private static let goOn = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    private let connection: Connection
    private var framing: Framing
    private var awaitsContinue: Bool
    private let started: Instant
    private var received: Int64 = 0
    private(set) var failure: Failure?

    init(_ head: RequestHead, of connection: Connection) {
        self.connection = connection
        framing =
            head.isChunked
            ? .chunks(ChunkedDecoder()) : .length(left: max(0, head.contentLength ?? 0))
        awaitsContinue = head.expectsContinue
        started = connection.state.loop.now
    }

    /// Whether all of it was read.
    var isOver: Bool {
        switch framing {
        case .length(let left): left == 0
        case .chunks(let decoder): decoder.isFinished
        }
    }

    /// Whether the client waits for a permission that nobody gave (HTTP-3).
    var isHeldBack: Bool { awaitsContinue }

    func next() async throws -> Chunk? {
        if let failure { throw failure }
        if isOver { return nil }
        do throws(Failure) {
            try await permit()
            let chunk = Chunk()
            while chunk.count == 0, !isOver {
                if connection.input.isEmpty { try await receive() }
                try take(into: chunk)
            }
            received += Int64(chunk.count)
            return chunk.count > 0 ? chunk : nil
        } catch {
            failure = error
            throw error
        }
    }

    /// The rest is not read: whoever asks for it later gets nothing.
    func cancel() { failure = failure ?? .over }

    /// Reads what is left and drops it, up to `bytesMax`; whether the connection can go on.
    func drop(upTo bytesMax: Int) async -> Bool {
        if isHeldBack { return false }
        if case .length(let left) = framing, left > Int64(bytesMax) { return false }
        var dropped = 0
        while let chunk = try? await next() {
            dropped += chunk.count
            if dropped > bytesMax { return false }
        }
        return isOver
    }

    private func permit() async throws(Failure) {
        guard awaitsContinue else { return }
        awaitsContinue = false
        do throws(ResponseOutcome.Cut) {
            try await connection.socket.send(Self.goOn)
        } catch {
            throw .clientGone
        }
    }

    private func receive() async throws(Failure) {
        connection.input.widen(to: Self.inputBytes)
        let deadline = connection.bodyDeadline(started, Int(clamping: received))
        switch await connection.fill(by: deadline, mayBeIdle: false) {
        case .received: return
        case .ended: throw .clientGone
        case .timedOut: throw .tooSlow
        }
    }

    /// Moves body bytes that are there into `chunk`.
    private func take(into chunk: Chunk) throws(Failure) {
        let input = connection.input
        switch framing {
        case .length(let left):
            let taken = input.withBytes { bytes in
                let wanted = Int(clamping: min(left, Int64(bytes.count)))
                return chunk.append(UnsafeRawBufferPointer(rebasing: bytes[..<wanted]))
            }
            input.consume(taken)
            framing = .length(left: left - Int64(taken))
        case .chunks(var decoder):
            defer { framing = .chunks(decoder) }
            while !input.isEmpty, !decoder.isFinished, !chunk.isFull {
                let consumed: Int
                do throws(RequestError) {
                    consumed = try input.withBytes { (bytes) throws(RequestError) in
                        // No more than fits: what is named must be taken.
                        let room = min(bytes.count, chunk.capacity - chunk.count)
                        let step = try decoder.decode(
                            UnsafeRawBufferPointer(rebasing: bytes[..<room]))
                        _ = chunk.append(UnsafeRawBufferPointer(rebasing: bytes[step.body]))
                        return step.consumed
                    }
                } catch {
                    throw .malformed(error)
                }
                if consumed == 0 { return }
                input.consume(consumed)
            }
        }
    }
}
