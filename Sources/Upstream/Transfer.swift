import CCurl
import CCurlShims
import Reactor

/// One HTTP exchange: a request to one URL and its response, as libcurl carries it out.
///
/// On the loop's thread only; owned by `TransferPool` until it is over and forgotten. Life:
/// `begin` → connect → (TLS) → `aboutToSend` → header lines → head complete → body → `end`.
/// Callbacks of libcurl and timers only note what happened; whoever waits is woken after libcurl
/// has returned (SWIFT-4).
final class Transfer {
    /// How far the exchange is; decides which time limit applies (UP-2).
    enum Stage {
        case connecting, handshaking, awaitingHead, readingHead, body, ended
    }

    /// Bytes taken in one turn of the loop before others get theirs.
    static let turnBytesMax = 512 << 10
    /// Bytes of a body that are taken before it is asked for: whoever waits for the head gets the
    /// loop then.
    static let unaskedBytesMax: Int64 = 64 << 10
    /// Bytes of an unwanted body that are read so that its connection can be used again.
    static let discardedBytesMax = 64 << 10

    let id: UInt64
    let plan: ExchangePlan
    /// Gone when the exchange has ended.
    private(set) var easy: CurlEasy?
    unowned let pool: TransferPool
    let started: Instant

    var stage = Stage.connecting
    var reader: UpstreamHeadReader
    var buffer = BodyBuffer()
    /// Body bytes received.
    var received: Int64 = 0
    /// Set by whatever noticed first; outranks libcurl's own code.
    var failure: UpstreamError?
    /// How the exchange ended; nil while it runs.
    private(set) var outcome: Result<Void, UpstreamError>?
    /// The first address that was refused, as text, and how many were not (SSRF-3).
    var refusedAddress: String?
    var permittedAddresses = 0
    /// The slot of a `send` goes with this exchange and is free when it ends.
    var slot: SlotQueue.Claim?
    /// Somebody has asked for the body.
    private var isAsked = false
    /// Nobody wants the body.
    private(set) var isDiscarded = false
    /// libcurl was told to stop delivering: the consumer lags behind, or the turn is over.
    private(set) var isPaused = false
    private var isTurnOver = false
    private var turnBytes = 0
    private var isTouched = false
    private var unreported = 0
    var phaseTimer: LoopTimer?
    private var turnTimer: LoopTimer?
    var stall: StallDetector?
    /// libcurl was told to wait for more of the request's body.
    private var isSendingPaused = false
    private var feedTicket: UInt64?
    private var headTicket: UInt64?
    private var bodyTicket: UInt64?

    init(id: UInt64, plan: ExchangePlan, easy: CurlEasy, pool: TransferPool) {
        self.id = id
        self.plan = plan
        self.easy = easy
        self.pool = pool
        started = pool.loop.now
        reader = UpstreamHeadReader(limits: pool.settings.limits)
    }

    var head: UpstreamHead { reader.head }

    // MARK: - Waiting

    /// Whether the head, or the reason why there is none, is known.
    var isHeadKnown: Bool { reader.isComplete || outcome != nil }

    func awaitHead(_ ticket: UInt64) { headTicket = ticket }

    func awaitBody(_ ticket: UInt64) { bodyTicket = ticket }

    func awaitFeed(_ ticket: UInt64) { feedTicket = ticket }

    private func wakeFeed() {
        guard let ticket = feedTicket else { return }
        feedTicket = nil
        pool.waiters.wake(ticket, .success(()))
    }

    private func wakeHead() {
        guard let ticket = headTicket else { return }
        headTicket = nil
        pool.waiters.wake(ticket, .success(()))
    }

    private func wakeBody() {
        guard let ticket = bodyTicket else { return }
        bodyTicket = nil
        pool.waiters.wake(ticket, .success(()))
    }

    // MARK: - Events from libcurl; nothing may be freed or resumed here

    /// CURLOPT_HEADERFUNCTION: one line; returns its length, anything else aborts.
    func headerLine(_ line: UnsafeRawBufferPointer) -> Int {
        do {
            if !reader.hasBegun { enter(.readingHead) }
            if try reader.read(line) {
                enter(.body)
                touch()
            }
            return line.count
        } catch {
            failure = error
            return 0
        }
    }

    /// CURLOPT_WRITEFUNCTION: takes all of `bytes`, or none and pauses.
    func bodyBytes(_ bytes: UnsafeRawBufferPointer) -> Int {
        if isDiscarded { return discard(bytes) }
        if !isAsked, received + Int64(bytes.count) > Self.unaskedBytesMax { return pause() }
        if turnBytes >= Self.turnBytesMax {
            isTurnOver = true
            return pause()
        }
        let expected = head.contentLength.map { $0 - received }
        if let expected, Int64(bytes.count) > expected {
            failure = .badResponse("more bytes than Content-Length")
            return 0
        }
        guard buffer.append(bytes, expected: expected) else { return pause() }
        count(bytes)
        return bytes.count
    }

    /// CURLOPT_READFUNCTION: the next bytes of the request's body, or none now.
    func requestBytes(into target: UnsafeMutableRawBufferPointer) -> Int {
        guard let body = plan.body else { return 0 }
        let given = body.take(into: target, now: pool.loop.now)
        if body.isHungry { touch() }
        switch given {
        case .bytes(let count): return count
        case .end: return 0
        case .nothingYet:
            isSendingPaused = true
            return Int(CURL_READFUNC_PAUSE)
        }
    }

    private func pause() -> Int {
        isPaused = true
        touch()
        return Int(CURL_WRITEFUNC_PAUSE)
    }

    private func discard(_ bytes: UnsafeRawBufferPointer) -> Int {
        count(bytes)
        return received <= Self.discardedBytesMax ? bytes.count : 0
    }

    private func count(_ bytes: UnsafeRawBufferPointer) {
        received += Int64(bytes.count)
        turnBytes += bytes.count
        unreported += bytes.count
        touch()
    }

    private func touch() {
        guard !isTouched else { return }
        isTouched = true
        pool.multi.touch(self)
    }

    // MARK: - After libcurl returned

    /// Wakes who waits for what has arrived.
    func actionEnded() {
        isTouched = false
        if unreported > 0 {
            pool.events.received(unreported)
            unreported = 0
        }
        if reader.isComplete { wakeHead() }
        if !buffer.isEmpty { wakeBody() }
        if plan.body?.isHungry == true || outcome != nil { wakeFeed() }
        guard outcome == nil else { return }
        if !isTurnOver {
            turnBytes = 0
        } else if turnTimer?.isPending != true {
            // Resumed in the loop's next turn, after everybody else had theirs.
            turnTimer = pool.loop.timer(after: .zero) { [weak self] in self?.nextTurn() }
        }
    }

    private func nextTurn() {
        isTurnOver = false
        turnBytes = 0
        resumeIfPossible()
    }

    /// Lets a paused transfer go on once there is room.
    ///
    /// Not from inside libcurl.
    private func resumeIfPossible() {
        guard isPaused, !isTurnOver, outcome == nil, isDiscarded || isAsked && buffer.hasRoom
        else { return }
        isPaused = false
        stall?.restart(received: received)
        // Delivers what libcurl holds back before it returns.
        if let easy, curl_easy_pause(easy.handle, CURLPAUSE_CONT) != CURLE_OK {
            end(.failure(isDiscarded ? .cancelled : failure ?? .reset))
        }
        pool.multi.settle()
    }

    /// Lets libcurl go on with the request's body.
    ///
    /// Not from inside libcurl.
    func feed(_ chunk: Chunk?) {
        plan.body?.offer(chunk)
        guard isSendingPaused, outcome == nil, let easy else { return }
        isSendingPaused = false
        let still = isPaused ? CURLPAUSE_RECV : CURLPAUSE_CONT
        if curl_easy_pause(easy.handle, still) != CURLE_OK { end(.failure(failure ?? .reset)) }
        pool.multi.settle()
    }

    /// Takes a chunk for the consumer; nil when there is none now.
    func takeChunk() -> Chunk? {
        isAsked = true
        let chunk = buffer.take()
        resumeIfPossible()
        return chunk
    }

    /// The rest of the body is of no interest: lets a short one run out, cuts a long one.
    func discardRest() {
        isDiscarded = true
        wakeBody()
        guard outcome == nil else { return }
        if let length = head.contentLength, length - received > Self.discardedBytesMax {
            end(.failure(.cancelled))
            return
        }
        phaseTimer?.cancel()
        phaseTimer = pool.loop.timer(after: .seconds(2)) { [weak self] in
            self?.end(.failure(.cancelled))
        }
        isTurnOver = false
        resumeIfPossible()
    }

    // MARK: - The end

    /// libcurl is done with the transfer.
    func completed(_ code: CURLcode) {
        guard outcome == nil else { return }
        if let failure = isDiscarded ? .cancelled : failure {
            end(.failure(failure))
        } else if code != CURLE_OK {
            end(.failure(error(for: code)))
        } else if !reader.isComplete {
            end(.failure(.badResponse("no response")))
        } else if plan.method == .get, let length = head.contentLength, received != length,
            head.status != 304, head.status != 204
        {
            end(.failure(.truncated))
        } else {
            end(.success(()))
        }
    }

    /// Ends the exchange, takes it from libcurl and wakes everyone.
    ///
    /// Not from inside libcurl.
    func end(_ result: Result<Void, UpstreamError>) {
        guard outcome == nil else { return }
        outcome = result
        phaseTimer?.cancel()
        turnTimer?.cancel()
        stall?.stop()
        if let easy { pool.multi.remove(easy) }
        easy = nil
        if case .failure(let error) = result { report(error) }
        actionEnded()
        wakeHead()
        wakeBody()
        stage = .ended
        pool.ended(self)
    }

    private func report(_ error: UpstreamError) {
        if !reader.isComplete {
            reportExchange(status: 0, error: error)
        } else if error != .cancelled {
            pool.events.bodyFailed(error)
        }
    }

    /// Tells the metrics about the head, or about there being none.
    func reportExchange(status: Int, error: UpstreamError?) {
        pool.events.exchange(
            UpstreamEvents.Exchange(
                kind: plan.kind, method: plan.method, status: status,
                duration: pool.loop.now - started, error: error, rateLimit: head.rateLimit))
    }
}
