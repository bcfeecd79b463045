import Linux
import Reactor

/// Sends ranges of one file by sendfile, as far as it may be sent, and waits for the rest.
struct FileSender {
    typealias Cut = ResponseOutcome.Cut

    private let file: GrowingFile
    private let socket: ClientSocket
    private let state: ServerLoop
    /// Where `send` has got to.
    private(set) var position: Int64 = 0
    /// Up to here the file was found or brought into memory.
    private var residentEnd: Int64 = 0

    init(_ file: GrowingFile, to socket: ClientSocket, in state: ServerLoop) {
        self.file = file
        self.socket = socket
        self.state = state
    }

    /// Longer ranges take time, in which somebody may write to the file.
    private static let quickBytesMax = 256 << 10

    /// Sends all of `range`; throws `.source` if the file will never have it.
    mutating func send(_ range: Range<Int64>) async throws(Cut) {
        let end = range.upperBound
        let lastPart =
            range.count > Self.quickBytesMax ? end - GrowingFile.withheldBytes : range.lowerBound
        position = range.lowerBound
        while position < end {
            var limit = try await sendable(beyond: position, upTo: end)
            if position < lastPart {
                limit = min(limit, lastPart)
            } else if range.count > Self.quickBytesMax, !file.isUnchanged {
                // What was sent before may not be what was verified (INT-9).
                throw .source
            }
            try await sendAvailable(position..<limit)
            position = limit
        }
    }

    /// Waits until more than `position` may be sent and says how far; `position` itself at the end
    /// of a file of which everything was wanted (`end` nil).
    func sendable(beyond position: Int64, upTo end: Int64?) async throws(Cut) -> Int64 {
        while true {
            // The phase first: what becomes final in between is seen in the next round.
            let progress = file.progress
            let limit = file.sendable(upTo: end)
            if limit > position { return limit }
            switch progress.phase {
            case .failed: throw .source
            case .complete:
                guard end == nil else { throw .source }
                return position
            case .growing:
                try await GrowthWait(socket, state, file)
                    .once(beyond: Self.awaited(after: position, upTo: end, progress))
            }
        }
    }

    /// How much has to be written before a reader at `position` may be sent more.
    private static func awaited(
        after position: Int64, upTo end: Int64?, _ progress: GrowingFile.Progress
    ) -> Int64 {
        guard let end = end ?? progress.total else { return position + GrowingFile.withheldBytes }
        // The withheld end waits for the digest, not for bytes (INT-1).
        return position >= end - GrowingFile.withheldBytes ? .max : position
    }

    /// Sends what is known to be sendable, window by window, none of it from a cold page.
    mutating func sendAvailable(_ range: Range<Int64>) async throws(Cut) {
        let isSliced = range.count > state.sliceBytes
        if isSliced { socket.holdShortPackets(true) }
        defer { if isSliced { socket.holdShortPackets(false) } }
        var position = range.lowerBound
        while position < range.upperBound {
            await makeResident(position, upTo: range.upperBound)
            let end = min(range.upperBound, residentEnd)
            try await socket.sendFile(file.fd, from: position, count: Int(end - position))
            position = end
        }
    }

    /// sendfile blocks the whole loop on a cold page, so a worker reads it first (prototypes.md
    /// §5).
    private mutating func makeResident(_ position: Int64, upTo limit: Int64) async {
        guard position >= residentEnd else { return }
        let end = min(limit, Residency.windowEnd(of: position))
        residentEnd = end
        let now = state.loop.now
        guard let workers = state.workers, !file.residency.isWhole(at: now),
            !file.residency.hasWindow(of: position, at: now)
        else { return }
        if System.isResident(file.fd, position, end) {
            file.residency.note(position..<end, of: file.progress.total, at: now)
        } else {
            await workers.run { [file] in System.warm(file.fd, position, end) }
        }
    }
}

/// A wait for a growing file that ends early when the client leaves or the file stops growing.
struct GrowthWait {
    typealias Cut = ResponseOutcome.Cut

    private let socket: ClientSocket
    private let state: ServerLoop
    private let file: GrowingFile

    init(_ socket: ClientSocket, _ state: ServerLoop, _ file: GrowingFile) {
        self.socket = socket
        self.state = state
        self.file = file
    }

    /// Waits until the file is complete or has failed.
    func untilFinal() async throws(Cut) -> GrowingFile.Phase {
        while true {
            let phase = file.progress.phase
            if phase != .growing { return phase }
            try await once(beyond: .max)
        }
    }

    /// Waits until more than `offset` bytes are written or the phase is final.
    func once(beyond offset: Int64) async throws(Cut) {
        if socket.isGone { throw socket.goneReason }
        let token = GrowingFile.makeToken()
        let stall = StallWatch(file, token, every: state.limits.growthStallTimeout, on: state.loop)
        socket.readiness.onHangUp = { [file] in file.release(token) }
        defer {
            socket.readiness.onHangUp = nil
            stall.end()
        }
        _ = await file.progress(beyond: offset, token: token)
        if socket.isGone { throw socket.goneReason }
        if stall.hasStalled { throw .source }
    }
}

/// Ends a wait when its file has not grown at all for a whole interval.
///
/// A reader far ahead of the writer may wait long, as long as the writer gets on.
private final class StallWatch {
    private let file: GrowingFile
    private let token: UInt64
    private let interval: Duration
    private let loop: EventLoop
    private var written: Int64
    private var timer: LoopTimer?
    private(set) var hasStalled = false

    init(_ file: GrowingFile, _ token: UInt64, every interval: Duration, on loop: EventLoop) {
        self.file = file
        self.token = token
        self.interval = interval
        self.loop = loop
        written = file.progress.written
        arm()
    }

    func end() {
        timer?.cancel()
        timer = nil
    }

    private func arm() {
        timer = loop.timer(after: interval) { [unowned self] in check() }
    }

    private func check() {
        let now = file.progress.written
        guard now > written else {
            hasStalled = true
            return file.release(token)
        }
        written = now
        arm()
    }
}
