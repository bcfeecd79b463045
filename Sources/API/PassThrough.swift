import Reactor
import Registry
import Server

/// A verified stream as a response body, whole or cut to one range.
///
/// The range's last chunk waits for the digest of the whole blob (INT-4).
actor PassThrough: BodyStream {
    private let stream: VerifiedStream
    private let range: Range<Int64>?
    private var offset: Int64 = 0
    private var held: Chunk?

    init(_ stream: VerifiedStream, range: Range<Int64>?) {
        self.stream = stream
        self.range = range
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { stream.unownedExecutor }

    func next() async throws -> Chunk? {
        guard let range else { return try await stream.next() }
        while let chunk = try await stream.next() {
            let start = offset
            offset += Int64(chunk.count)
            let wanted = range.clamped(to: start..<offset)
            guard !wanted.isEmpty else { continue }
            let part = chunk.slice(
                Int(wanted.lowerBound - start)..<Int(wanted.upperBound - start))
            let ready = held
            held = part
            if let ready { return ready }
        }
        defer { held = nil }
        return held
    }

    nonisolated func cancel() {
        stream.cancel()
    }
}
