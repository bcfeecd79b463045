import OCI
import Reactor
import Store
import Upstream

/// A blob on its way from one registry to the other: hashed as it goes, and its last chunk is
/// withheld until size and digest agree, so that wrong bytes never make a whole request.
///
/// When the source breaks off, it is asked for the rest.
actor VerifyingBody: UpstreamBody {
    /// How often a source that broke off is asked to go on.
    private static let resumptionsMax = 3

    /// Asks the source for the blob from an offset on.
    typealias Reopen = @Sendable (Int64) async throws(UpstreamError) -> UpstreamResponse

    private let loop: EventLoop
    private let descriptor: Descriptor
    private let reopen: Reopen
    private let sent: @Sendable (Int) -> Void
    private var body: any UpstreamBody
    private var hash: StreamingHash
    private var received: Int64 = 0
    private var held: Chunk?
    private var isOver = false
    private var resumptions = 0
    /// Why the source did not give what it should have.
    private(set) var failure: CopyFailure?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(
        _ descriptor: Descriptor, from body: any UpstreamBody, _ loop: EventLoop,
        sent: @escaping @Sendable (Int) -> Void, reopen: @escaping Reopen
    ) {
        self.descriptor = descriptor
        self.body = body
        self.loop = loop
        self.sent = sent
        self.reopen = reopen
        hash = StreamingHash(descriptor.digest.algorithm)
    }

    /// The bytes one chunk late.
    func next() async throws(UpstreamError) -> Chunk? {
        while !isOver {
            guard let chunk = try await received() else {
                try check()
                isOver = true
                break
            }
            received += Int64(chunk.count)
            guard received <= descriptor.size else {
                throw wrong("it has more than the \(descriptor.size) bytes of its descriptor")
            }
            chunk.withBytes { hash.update($0) }
            guard let ready = held else {
                held = chunk
                continue
            }
            held = chunk
            sent(ready.count)
            return ready
        }
        defer { held = nil }
        if let held { sent(held.count) }
        return held
    }

    nonisolated func cancel() {
        loop.spawn { await self.stop() }
    }

    private func stop() {
        isOver = true
        held = nil
        body.cancel()
    }

    private func received() async throws(UpstreamError) -> Chunk? {
        while true {
            do throws(UpstreamError) {
                return try await body.next()
            } catch {
                guard resumptions < Self.resumptionsMax, received > 0, !Task.isCancelled, !isOver
                else {
                    throw broken(error)
                }
                resumptions += 1
                body = try await rest(after: error)
            }
        }
    }

    /// The rest of the blob, if the source can be asked for it.
    private func rest(after error: UpstreamError) async throws(UpstreamError) -> any UpstreamBody {
        do throws(UpstreamError) {
            let response = try await reopen(received)
            if response.status == 206 { return response.body }
            response.body.cancel()
        } catch {}
        throw broken(error)
    }

    private func broken(_ error: UpstreamError) -> UpstreamError {
        failure = CopyFailure(.source, "blob \(descriptor.digest)", .transport(error))
        return error
    }

    private func check() throws(UpstreamError) {
        guard received == descriptor.size else {
            throw wrong("it has \(received) bytes and not the \(descriptor.size) it should have")
        }
        let digest = hash.finalize()
        guard digest == descriptor.digest else { throw wrong("its bytes are those of \(digest)") }
    }

    private func wrong(_ text: String) -> UpstreamError {
        body.cancel()
        isOver = true
        failure = CopyFailure(.source, "blob \(descriptor.digest)", .content(text))
        return .badResponse(text)
    }
}
