import OCI
import Reactor
import Registry
import Server

/// The work of `cistern verify`, one object after the other, told line by line.
///
/// Goes on only as long as somebody listens.
actor VerifyStream: BodyStream {
    /// How often it says how far it is.
    private static let progressInterval = Duration.seconds(1)

    private let content: Content
    private let rate: Int64?
    private let isStopping: @Sendable () -> Bool
    private var images: [(name: String, digest: Digest)]?
    private var isOver = false
    /// Of all stored objects, those whose hash begins with this come next.
    private var shard = 0
    private var waiting: [Digest] = []
    private var counts: [VerifyResult: Int] = [:]
    private var lastProgress: Instant

    /// Verifies these images, or with nil all that is stored.
    init(
        _ content: Content, images: [(name: String, digest: Digest)]?, rate: Int64?,
        _ isStopping: @escaping @Sendable () -> Bool
    ) {
        self.content = content
        self.isStopping = isStopping
        self.images = images
        self.rate = rate
        lastProgress = content.loop.now
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        content.loop.asUnownedSerialExecutor()
    }

    func next() async -> Chunk? {
        guard !isOver else { return nil }
        while let digest = await nextDigest() {
            if isStopping() {
                isOver = true
                return line("error: the daemon stops")
            }
            let result = await content.scrub(digest, rate: rate)
            counts[result, default: 0] += 1
            if result == .damaged || result == .missing {
                let pushed = await content.pushed(digest).joined(separator: " ")
                let more = pushed.isEmpty ? "" : "  push again: \(pushed)"
                return line("\(result.rawValue) \(digest)\(more)")
            }
            if content.loop.now - lastProgress >= Self.progressInterval {
                lastProgress = content.loop.now
                return line("verified \(counts[.ok] ?? 0)")
            }
        }
        isOver = true
        let found = VerifyResult.allCases.map { "\($0.rawValue)=\(counts[$0] ?? 0)" }
        return line("done: \(found.joined(separator: " "))")
    }

    nonisolated func cancel() {}

    private func nextDigest() async -> Digest? {
        while waiting.isEmpty {
            if let image = images?.popLast() {
                waiting = await content.image(image.digest)
            } else if images == nil, let first = UInt8(exactly: shard) {
                shard += 1
                waiting = await content.stored(startingWith: first)
            } else {
                return nil
            }
        }
        return waiting.popLast()
    }

    private func line(_ text: String) -> Chunk { Chunk(Array((text + "\n").utf8)) }
}
